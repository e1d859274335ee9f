package store

import "context"

// RefreshToken is a refresh token that stays: it gives any number of access tokens
// and has no end of its own. Its value is not in it. Key: Tenant, Subject and Client.
type RefreshToken struct {
	Tenant    string
	Subject   string // the user's name
	Client    string // what the client calls itself
	ID        ID     // finds it by its value; unique
	Seed      ID     // random; its value is made of this and a secret
	Door      string // the dialect through which it was made
	Backend   string // the place where the password was checked
	Mobile    bool
	CreatedAt int64
}

// What refresh tokens are sorted by. Those that are equal in it are sorted by
// subject and client.
const (
	RefreshByCreation = "created_at"
	RefreshByClient   = "client_id"
	RefreshByMobile   = "mobile" // those that are not first
)

// RefreshTokenQuery says which refresh tokens of a tenant are meant. An Offset below
// 0 is 0.
type RefreshTokenQuery struct {
	Subject       string // empty: of everybody
	Search        string // what Client holds, whatever the case of ASCII letters; empty: anything
	Order         string // one of the above; else RefreshByCreation
	Descending    bool   // the whole order from its end, those that are equal too
	Offset, Limit int
}

type (
	// CreateRefreshToken adds a refresh token: ErrExists when its key or its ID is
	// taken, ErrNotFound when its Subject is no user of the tenant.
	CreateRefreshToken struct{ RefreshToken RefreshToken }
	// DeleteRefreshTokens removes the one of Subject and Client, whenever it was made;
	// where Client is empty, those of Subject: if Mobile is set, those that are mobile,
	// whenever they were made, else those that were made until At; where Subject is
	// empty too, all of Tenant that were made until At. None is no error.
	DeleteRefreshTokens struct {
		Tenant, Subject, Client string
		Mobile                  bool
		At                      int64
		// Removed, unless nil, is told how many there were.
		Removed *int64
	}
)

func (CreateRefreshToken) command()  {}
func (DeleteRefreshTokens) command() {}

// RefreshTokens reads refresh tokens.
type RefreshTokens interface {
	// RefreshToken returns the one of a user and a client: ErrNotFound when there is
	// none.
	RefreshToken(ctx context.Context, tenant, subject, client string) (RefreshToken, error)
	// RefreshTokenByID returns one: ErrNotFound when there is none.
	RefreshTokenByID(ctx context.Context, id ID) (RefreshToken, error)
	// ListRefreshTokens returns up to Limit of those that are meant, in their order,
	// without the first Offset of them.
	ListRefreshTokens(ctx context.Context, tenant string, q RefreshTokenQuery) ([]RefreshToken, error)
	// CountRefreshTokens tells how many are meant, whatever Offset and Limit are.
	CountRefreshTokens(ctx context.Context, tenant string, q RefreshTokenQuery) (int64, error)
}
