package door

// roles are what a user is in one organisation.
type roles struct{ member, admin, auditor bool }

func (r roles) any() bool { return r.member || r.admin || r.auditor }

// person is a user as the rules look at one.
type person struct {
	name   string
	system bool // an admin or an auditor of the system
	orgs   map[int64]roles
}

// belongs reports whether an organisation counts the user among its own. Its
// auditors look in from outside.
func (p person) belongs(org int64) bool { return p.orgs[org].member || p.orgs[org].admin }

// caller is who asks, and what the credential is good for.
type caller struct {
	person
	superuser, auditor bool // of the system
	read, write        bool // write implies read
}

// held is a token as the rules look at one.
type held struct {
	owner person
	org   int64 // of its application; 0: a personal token
}

// program is an application as the rules look at one.
type program struct {
	owner string // the user whose it is; empty: nobody's
	org   int64
}

// seesAll is for who looks after the system.
func (c caller) seesAll() bool { return c.superuser || c.auditor }

func (c caller) administers(org int64) bool { return org != 0 && c.orgs[org].admin }

// overlooks reports whether the caller sees what an organisation's admins see.
func (c caller) overlooks(org int64) bool {
	return c.administers(org) || org != 0 && c.orgs[org].auditor
}

func (c caller) overlooksAny() bool {
	for org := range c.orgs {
		if c.overlooks(org) {
			return true
		}
	}
	return false
}

// leads reports whether the caller administers an organisation of the user's.
func (c caller) leads(p person) bool {
	for org := range c.orgs {
		if c.administers(org) && p.belongs(org) {
			return true
		}
	}
	return false
}

func (c caller) watches(p person) bool {
	for org := range c.orgs {
		if c.overlooks(org) && p.belongs(org) {
			return true
		}
	}
	return false
}

// may is the mask of the scope, which lies over every role.
func (c caller) may(changes bool) bool { return c.write || c.read && !changes }

func (c caller) readsToken(t held) bool {
	return c.may(false) && (c.seesAll() || c.name == t.owner.name || c.overlooks(t.org) || c.watches(t.owner))
}

func (c caller) changesToken(t held) bool {
	return c.may(true) && (c.superuser || c.name == t.owner.name || c.administers(t.org) || c.leads(t.owner))
}

// recipient is a user whom a token is made for.
type recipient struct {
	person
	owned []int64 // the organisations of the applications that are the user's own
}

// givesTokens reports whether the caller makes tokens of a user's, and widens
// them. Who sees the value of a token has all that its owner may: so only the
// owner does, and who administers the owner altogether, with all that is the owner's.
func (c caller) givesTokens(p recipient) bool {
	if !c.may(true) {
		return false
	}
	if c.superuser || c.name == p.name {
		return true
	}
	for org, r := range p.orgs {
		if r.any() && !c.administers(org) {
			return false
		}
	}
	for _, org := range p.owned {
		if !c.administers(org) {
			return false
		}
	}
	return !p.system && c.leads(p.person)
}

func (c caller) readsUser(p person) bool {
	if c.may(false) && (c.seesAll() || c.name == p.name) {
		return true
	}
	for org, r := range c.orgs {
		if c.may(false) && r.any() && p.orgs[org].any() {
			return true
		}
	}
	return false
}

func (c caller) owns(p program) bool { return p.owner != "" && p.owner == c.name }

func (c caller) readsApplication(p program) bool {
	return c.may(false) && c.owns(p) || c.readsOrganization(p.org)
}

func (c caller) changesApplication(p program) bool {
	return c.may(true) && c.owns(p) || c.changesOrganization(p.org)
}

func (c caller) readsOrganization(org int64) bool {
	return c.may(false) && (c.seesAll() || c.orgs[org].any())
}

// changesOrganization is for making its applications too, and for what an owner
// alone may not do to one.
func (c caller) changesOrganization(org int64) bool {
	return c.may(true) && (c.superuser || c.administers(org))
}

// rulesOrganizations is making and deleting them, and saying who belongs to them.
func (c caller) rulesOrganizations() bool { return c.may(true) && c.superuser }

// administersAny reports whether there is an organisation whose applications the
// caller may make.
func (c caller) administersAny() bool {
	for org := range c.orgs {
		if c.changesOrganization(org) {
			return true
		}
	}
	return c.may(true) && c.superuser
}
