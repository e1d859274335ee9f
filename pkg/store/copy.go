package store

// CopyUser gives a user whose lists share nothing with those of u. An empty list is nil.
func CopyUser(u User) User {
	for _, all := range []*[]string{&u.Roles, &u.ACL, &u.Policies} {
		*all = append([]string(nil), *all...)
	}
	return u
}

// CopyApplication is the same of an application.
func CopyApplication(a Application) Application {
	a.SecretMAC = append([]byte(nil), a.SecretMAC...)
	for _, all := range []*[]string{&a.Grants, &a.RedirectURIs, &a.Scopes, &a.Audiences} {
		*all = append([]string(nil), *all...)
	}
	return a
}
