// Package store is the storage seam: what the token core keeps, as records,
// and how it is changed, as commands. It holds no logic of tokens: what a
// record means is the business of those who read it.
//
// A change is an Apply of one or more commands. They become durable together
// or not at all, and Apply returns only afterwards. Stores commit the changes
// of concurrent callers in groups (Group), so that a flood costs one disk flush
// a batch and a lone caller waits for nobody.
//
// Instants are int64 microseconds since 1970-01-01 UTC, lifetimes int64
// seconds; 0 means never or none. Stores keep both exactly.
//
// The suite that every store must pass is storetest.
package store

import (
	"context"
	"errors"
)

// The answers of a store that are not records.
var (
	// ErrNotFound: no such record.
	ErrNotFound = errors.New("not found")
	// ErrExists: a record of that key is there already.
	ErrExists = errors.New("exists already")
	// ErrConflict: a compare-and-set found another state than expected.
	ErrConflict = errors.New("changed meanwhile")
	// ErrUnavailable: the store cannot be read or written, or cannot promise
	// durability; whether the change took place is unknown.
	ErrUnavailable = errors.New("store unavailable")
)

// DefaultTenant is the tenant that exists from the start.
const DefaultTenant = "default"

// Roles of a user.
const (
	RoleAdmin   = "admin"
	RoleAuditor = "auditor"
)

// User is a person who logs in with a password. Key: Tenant and Name, both
// compared byte for byte.
type User struct {
	Tenant       string
	Name         string
	PasswordHash string   // PHC string; empty: cannot log in with a password
	Roles        []string // kept in the order given, sorted by who writes; none reads as nil
	Disabled     bool
	Number       int64 // given by the store; see numbers
	// Backend is the directory in which its password is checked, and BackendID what
	// that one knows it by for good. Empty: the password is checked here.
	Backend, BackendID string
	// ACL and Policies say what its opaque tokens allow: access strings, and names of
	// policies. Kept in the order given; none reads as nil.
	ACL       []string
	Policies  []string
	CreatedAt int64
	UpdatedAt int64
}

// ID is the key of a session, random.
type ID [16]byte

// Session is one login that owns refresh tokens. There is one row a login
// however often it is refreshed: the refresh token carries Counter, and a
// refresh moves it on.
type Session struct {
	ID         ID
	Accessor   string // public identifier, unique; safe to show
	Tenant     string
	Subject    string // the user's name
	Client     string // the application; empty: none
	Door       string // the dialect through which it was made
	Scope      string
	Device     string   // what the client called itself
	Labels     []string // words to find it by; none reads as nil
	Counter    int64    // of the refresh token that is good now, from 0
	Grant      string   // the OAuth 2.0 grant_type that made it; empty at other doors
	Audience   string   // whom its access tokens are for, space-separated; empty: the door's own
	Bound      string   // RFC 7638 thumbprint of the key its refresh tokens are bound to; empty: none
	AuthAt     int64    // when the subject proved who it is (auth_time); 0: with CreatedAt
	Opaque     *Opaque  // what it has besides where its ID stands for an access token; else nil
	CreatedAt  int64
	RotatedAt  int64 // last refresh; 0: none yet
	LastUsedAt int64 // what IdleTTL counts from; the login is the first use
	IdleTTL    int64 // seconds a refresh token may lie unused; 0: no limit
	AccessTTL  int64 // seconds, of the access tokens issued from it
	ExpiresAt  int64 // absolute end; 0: none
	RevokedAt  int64
}

// Application is a program that asks for tokens, a client in the words of RFC
// 6749 section 2. Key: Tenant and ID. It shares the names of its tenant with the
// users: neither can be made where the other has the name, since both stand in
// the sub of tokens. Lists are kept in the order given, none reads as nil.
type Application struct {
	Tenant       string
	ID           string   // client_id
	Name         string   // what people read
	SecretMAC    []byte   // keyed hash of its client_secret; empty: it has none
	AuthMethod   string   // token_endpoint_auth_method (RFC 7591 section 2); empty: its secret, in the header or the body
	Grants       []string // grant_type values
	RedirectURIs []string
	Scopes       []string
	Audiences    []string // resources it may ask tokens for (RFC 8707)
	JWKS         string   // public keys of private_key_jwt, a JWK set; empty: none
	Introspect   bool     // may introspect every token of its tenant
	SkipConsent  bool     // belongs to the house: nobody is asked to consent
	PKCEOptional bool     // may ask for a code without a code_challenge (RFC 7636)
	Number       int64    // given by the store; see numbers
	Organisation int64    // to which it belongs; 0: to none
	Owner        string   // the user who made it, where users do; empty: nobody's
	Description  string   // what people read
	Implicit     bool     // may ask for a token in the place of a code (RFC 6749 section 4.2), where the door has that
	CreatedAt    int64
	UpdatedAt    int64
}

// Kinds of Ticket.
const (
	TicketCode   = "code"   // an authorization code (RFC 6749 section 4.1)
	TicketDevice = "device" // a device code (RFC 8628)
)

// States of a Ticket.
const (
	TicketPending  = "pending"  // nobody has decided yet
	TicketApproved = "approved" // to be traded
	TicketDenied   = "denied"
	TicketUsed     = "used" // traded; a second use ends the login that the first one gave
)

// Ticket is what is traded once for a login: an authorization code or a device
// code. It holds what was asked for and who allowed it, never the code itself.
type Ticket struct {
	ID          ID // random
	Kind        string
	Tenant      string
	Client      string
	UserCode    string // of a device code: what the person types, unique; else empty
	Scope       string
	Audience    string
	RedirectURI string // of a code: as it was sent; empty when it was not
	Challenge   string // of a code: code_challenge, S256
	Nonce       string // of a code, for the id_token
	Bound       string // thumbprint of the key that the code is bound to (RFC 9449 section 10)
	State       string
	Subject     string // who allowed it
	AuthAt      int64  // when the subject proved who it is
	Session     ID     // of the login that it is traded for
	CreatedAt   int64
	ExpiresAt   int64 // from then on it cannot be decided or traded
	KeepUntil   int64 // from then on Purge may remove it
}

// Kinds of Revocation.
const (
	RevokeToken   = "token"   // Key: the token's identity, 16 bytes
	RevokeSession = "session" // Key: the session's ID, 16 bytes
	RevokeSubject = "subject" // Key: SubjectKey(tenant, user); all issued until At
	RevokeClient  = "client"  // Key: SubjectKey(tenant, application); all issued until At
	RevokeTenant  = "tenant"  // Key: the tenant; all issued until At
	RevokeAll     = "all"     // Key: empty; all issued until At
	// ChangeKeys is no revocation: it tells followers that the signing keys
	// have changed and are to be read again. Key: the tenant.
	ChangeKeys = "keys"
	// ChangeProperties is the same for the properties. Key: the tenant.
	ChangeProperties = "properties"
	// ChangeTenants is the same for the tenants. Key: the tenant.
	ChangeTenants = "tenants"
)

// Revocation is one small fact: what it names was revoked. Facts are never
// taken back.
type Revocation struct {
	Seq   int64 // given by the store: order of commit, no gaps that fill later
	Kind  string
	Key   string // raw bytes
	At    int64  // tokens issued at or before this instant are void
	Until int64  // when the last token it can concern is over; 0: unknown, keep
}

// SubjectKey is the Key of a RevokeSubject and of a RevokeClient.
func SubjectKey(tenant, user string) string { return tenant + "\x00" + user }

// States of a Key.
const (
	KeyActive   = "active"   // signs from NotBefore on, and verifies
	KeyRetiring = "retiring" // verifies until NotAfter
)

// Key is a signing key. Sealed is encrypted under the master key before it
// comes here.
type Key struct {
	ID        string // kid; unique
	Tenant    string
	Door      string // the dialect it signs for
	Algorithm string // JWA name, "HS256"
	State     string
	CreatedAt int64
	NotBefore int64 // when it begins to sign; published before
	NotAfter  int64 // of a retiring key: when its last token is over
	// LongestTTL is the most seconds that any token lives that it signed, where that
	// is longer than its door's tokens live; 0: none does.
	LongestTTL int64
	Sealed     []byte
}

// Property is one setting that an administrator changes while the service runs.
// Key: Tenant and Name.
type Property struct {
	Tenant    string
	Name      string
	Value     string
	UpdatedAt int64
}

// Command is one change. The commands are the types below.
type Command interface{ command() }

type (
	// CreateUser adds a user: ErrExists when there is one, or an application of
	// that ID in the tenant.
	CreateUser struct{ User User }
	// UpdateUser replaces a user: ErrNotFound when there is none. CreatedAt
	// stays as it is.
	UpdateUser struct {
		User User
		// Read is the UpdatedAt that the change stands on: when the record has
		// another one by now, the answer is ErrConflict.
		Read int64
	}
	// DeleteUser removes a user, and the user's refresh tokens: ErrNotFound when there
	// is none. The user's applications stay and are nobody's then, also when another
	// user comes to have the name.
	DeleteUser struct{ Tenant, Name string }
	// CreateApplication adds an application: ErrExists when its ID is taken, or a
	// user of the tenant has it for a name. ErrNotFound when its Owner is no user of
	// the tenant.
	CreateApplication struct{ Application Application }
	// UpdateApplication replaces an application: ErrNotFound when there is none,
	// ErrConflict when its UpdatedAt is not Read. CreatedAt and Owner stay as they
	// are.
	UpdateApplication struct {
		Application Application
		Read        int64
	}
	// DeleteApplication removes an application: ErrNotFound when there is none.
	DeleteApplication struct{ Tenant, ID string }
	// CreateTicket adds a ticket: ErrExists when its ID or its UserCode (unless
	// empty) is taken.
	CreateTicket struct{ Ticket Ticket }
	// DecideTicket moves a ticket from TicketPending to State and sets Subject,
	// Scope, AuthAt and KeepUntil, if at the instant At it is pending and ExpiresAt is still to
	// come: else ErrConflict. ErrNotFound when there is no such ticket.
	DecideTicket struct {
		ID             ID
		State          string
		Subject, Scope string
		AuthAt         int64
		KeepUntil      int64
		At             int64
	}
	// UseTicket moves a ticket from TicketApproved to TicketUsed, if at the instant
	// At it is approved and ExpiresAt is still to come: else ErrConflict.
	// ErrNotFound when there is no such ticket.
	UseTicket struct {
		ID ID
		At int64
	}
	// Once remembers a value until an instant, such as the jti of a proof that
	// must not be used twice: ErrExists when it is remembered already and Purge has
	// not removed it.
	Once struct {
		Value string // raw bytes
		Until int64
	}
	// Revoke records a fact; the store gives it its Seq. A fact of the same
	// Kind and Key is merged: the later At and the later Until hold (0, unknown,
	// is later than any), under a new Seq when either moved; an equal or weaker
	// one changes nothing.
	Revoke struct {
		Revocation Revocation
		// AtCommit has its At be the instant of the commit, where that is later by the
		// store's own clock. A store without one keeps At.
		AtCommit bool
	}
	// CreateSession adds a session: ErrExists when its ID or Accessor is taken.
	CreateSession struct {
		Session Session
		// Most, if above 0, is how many opaque sessions its subject may have with it that
		// are neither revoked nor over at its CreatedAt: where that many are there
		// without it, ErrConflict, whether its ID is taken or not.
		Most int
	}
	// RotateSession moves Counter from From to From+1 and sets RotatedAt and
	// LastUsedAt to At, if at that instant Counter is From and the session is
	// not revoked, ExpiresAt is still to come, and less than IdleTTL has passed
	// since LastUsedAt: else ErrConflict. ErrNotFound when there is no such
	// session.
	RotateSession struct {
		ID   ID
		From int64
		At   int64
	}
	// UseSession sets LastUsedAt to At, if at that instant Counter is Counter and
	// the session is not revoked, ExpiresAt is still to come, and less than IdleTTL
	// has passed since LastUsedAt: else ErrConflict. ErrNotFound when there is no
	// such session. An At before LastUsedAt leaves that as it is.
	UseSession struct {
		ID      ID
		Counter int64
		At      int64
	}
	// PutProperty adds or replaces a property.
	PutProperty struct{ Property Property }
	// DeleteProperty removes a property: ErrNotFound when there is none.
	DeleteProperty struct{ Tenant, Name string }
	// RevokeSessions sets RevokedAt on the session ID; where ID is zero, on all in
	// Tenant of Subject; where that is empty too, on all in Tenant of Client. What
	// is revoked already keeps its instant, and none is no error.
	RevokeSessions struct {
		ID                      ID
		Tenant, Subject, Client string
		At                      int64
	}
	// PutKey adds or replaces a key.
	PutKey struct{ Key Key }
	// DeleteKey removes a key: ErrNotFound when there is none.
	DeleteKey struct{ ID string }
	// Purge removes what no token can ask for any more: revocations with Until,
	// sessions with ExpiresAt or RevokedAt, tickets with KeepUntil, access tokens with
	// KeepUntil and values with Until before Before, those that ended first first, at
	// most Limit of each. A follower needs no word of it.
	Purge struct {
		Before int64
		Limit  int
		// Removed, unless nil, is told how many records went.
		Removed *int64
	}
)

func (CreateUser) command()        {}
func (UpdateUser) command()        {}
func (DeleteUser) command()        {}
func (CreateApplication) command() {}
func (UpdateApplication) command() {}
func (DeleteApplication) command() {}
func (CreateTicket) command()      {}
func (DecideTicket) command()      {}
func (UseTicket) command()         {}
func (Once) command()              {}
func (Revoke) command()            {}
func (CreateSession) command()     {}
func (UseSession) command()        {}
func (PutProperty) command()       {}
func (DeleteProperty) command()    {}
func (RotateSession) command()     {}
func (RevokeSessions) command()    {}
func (PutKey) command()            {}
func (DeleteKey) command()         {}
func (Purge) command()             {}

// Writer changes the store.
type Writer interface {
	// Apply carries out the commands in order, all or none, and returns when
	// they are durable (where the store is Durable). The error wraps one of the
	// Err values; after ErrUnavailable the outcome is unknown. When ctx ended
	// before it was their turn, the error wraps ctx's alone and nothing changed;
	// when it ended later, both, and slices within the commands must not be
	// altered afterwards, since they may still be read.
	Apply(ctx context.Context, commands ...Command) error
}

// Reads see everything that was answered before they began. A limit below 1
// gives no records. Their errors wrap ErrNotFound, ctx's error or
// ErrUnavailable.

// Head is where the facts of a store end.
type Head struct {
	// Epoch names the history that Seq belongs to. Where facts that were there may be
	// gone, since a copy was put back or a standby has taken over, it is another one.
	Epoch string
	// Seq is the highest that a fact was given. The fact itself may be gone.
	Seq int64
}

// Users reads users.
type Users interface {
	// User returns one user: ErrNotFound when there is none.
	User(ctx context.Context, tenant, name string) (User, error)
	// ListUsers returns up to limit users of a tenant whose names come after
	// `after`, by name.
	ListUsers(ctx context.Context, tenant, after string, limit int) ([]User, error)
}

// Applications reads applications.
type Applications interface {
	// Application returns one application: ErrNotFound when there is none.
	Application(ctx context.Context, tenant, id string) (Application, error)
	// ListApplications returns up to limit applications of a tenant whose IDs
	// come after `after`, by ID.
	ListApplications(ctx context.Context, tenant, after string, limit int) ([]Application, error)
}

// Tickets reads tickets.
type Tickets interface {
	// Ticket returns one ticket, whatever its state: ErrNotFound when there is none.
	Ticket(ctx context.Context, id ID) (Ticket, error)
	// TicketByUserCode is Ticket by what a person typed.
	TicketByUserCode(ctx context.Context, userCode string) (Ticket, error)
}

// Sessions reads sessions.
type Sessions interface {
	// Session returns one session, revoked or not: ErrNotFound when there is none.
	Session(ctx context.Context, id ID) (Session, error)
	// SessionByAccessor is Session by the public identifier.
	SessionByAccessor(ctx context.Context, accessor string) (Session, error)
	// ListSessions returns up to limit sessions of a subject, revoked ones
	// included, whose accessors come after `after`, by accessor.
	ListSessions(ctx context.Context, tenant, subject, after string, limit int) ([]Session, error)
}

// Properties reads properties.
type Properties interface {
	// Property returns one property: ErrNotFound when there is none.
	Property(ctx context.Context, tenant, name string) (Property, error)
	// Properties returns all properties of a tenant, by name.
	Properties(ctx context.Context, tenant string) ([]Property, error)
}

// Revocations reads revocation facts.
type Revocations interface {
	// Revocations returns up to limit facts with Seq above after, by Seq. A
	// follower that reads on from the last Seq it saw misses none.
	Revocations(ctx context.Context, after int64, limit int) ([]Revocation, error)
	// Head returns where the facts end. Whoever gets it knows besides that no other
	// store has taken the place of this one before.
	Head(ctx context.Context) (Head, error)
}

// Keys reads signing keys.
type Keys interface {
	// Keys returns all keys, the newest first, those of one instant by ID.
	Keys(ctx context.Context) ([]Key, error)
}

// Store is all of it, and what a program opens and closes.
type Store interface {
	Writer
	Tenants
	Users
	Applications
	ServiceAccounts
	Organisations
	Numbered
	AccessTokens
	Opaques
	RefreshTokens
	Policies
	Tickets
	Sessions
	Properties
	Revocations
	Keys
	// Durable reports whether an applied change survives the loss of power.
	Durable() bool
	// Ping answers nil when the store can be read and written.
	Ping(ctx context.Context) error
	// Close waits for what is under way and releases everything.
	Close() error
}

// Recent is a store that can tell for less what was so a moment ago.
type Recent interface {
	// RecentApplication is Application as of no more than a second ago, with all that
	// was changed through this store.
	RecentApplication(ctx context.Context, tenant, id string) (Application, error)
}

// Hinter is a store that can tell of facts at once. A hint may be late, or missing:
// whoever follows must look now and then all the same.
type Hinter interface {
	// Watch gives a channel that has something in it after there may be new facts,
	// until ctx ends. It is never closed.
	Watch(ctx context.Context) <-chan struct{}
}
