package slapdtest

import "github.com/go-ldap/ldap/v3"

// Entry is something a directory holds.
type Entry struct {
	DN         string
	Attributes map[string][]string
}

// UserDN is the DN of a user of that name.
func UserDN(name string) string { return "uid=" + ldap.EscapeDN(name) + "," + People }

// GroupDN is the DN of a group of that name.
func GroupDN(name string) string { return "cn=" + ldap.EscapeDN(name) + "," + Groups }

// User is a person with a password, which is none where it is empty. More values of
// uid may follow the name.
func User(name, password string, more ...string) Entry {
	attributes := map[string][]string{
		"objectClass": {"inetOrgPerson"},
		"uid":         append([]string{name}, more...),
		"cn":          {name},
		"sn":          {name},
	}
	if password != "" {
		attributes["userPassword"] = []string{password}
	}
	return Entry{DN: UserDN(name), Attributes: attributes}
}

// Group is a group of users that lists its members' DNs, and that their memberOf
// attribute names.
func Group(name string, users ...string) Entry {
	var members []string
	for _, u := range users {
		members = append(members, UserDN(u))
	}
	return Entry{DN: GroupDN(name), Attributes: map[string][]string{
		"objectClass": {"groupOfNames"}, "cn": {name}, "member": members,
	}}
}

// PosixGroup is a group of users that lists their names, and that no memberOf
// attribute names.
func PosixGroup(name string, users ...string) Entry {
	return Entry{DN: GroupDN(name), Attributes: map[string][]string{
		"objectClass": {"posixGroup"}, "cn": {name}, "gidNumber": {"1000"}, "memberUid": users,
	}}
}
