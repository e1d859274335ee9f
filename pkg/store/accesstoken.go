package store

import "context"

// AccessToken is an access token that is a row: what clients list, describe and
// delete by its number. Its value is not in it, nor that of the refresh token that
// goes with it. Key: Tenant and Number.
//
// A refresh puts another row in its place. All rows that came of one login have its
// Family, and at most one of them is there at a time.
type AccessToken struct {
	Tenant      string
	Number      int64  // given by the store
	Door        string // the dialect through which it was made
	Family      int64  // Number of the first; 0 when it is made: its own
	Generation  int64  // how often the family was refreshed
	Subject     string // the user's name
	Client      string // the application; empty: a personal token
	Scope       string
	Description string
	CreatedAt   int64
	UpdatedAt   int64
	ExpiresAt   int64 // 0: never
	KeepUntil   int64 // from then on Purge may remove it; 0: never
}

// AccessTokenFilter says which access tokens of a tenant are meant. Its zero value
// means all.
type AccessTokenFilter struct {
	// Subjects and Clients: of any of these users, or of any of these applications.
	// Both empty: of everybody.
	Subjects, Clients []string
	// Personal tokens alone, or Application tokens alone; neither: both.
	Personal, Application bool
}

type (
	// CreateAccessToken adds an access token.
	CreateAccessToken struct {
		AccessToken AccessToken
		// Number, unless nil, is told the number that it was given.
		Number *int64
	}
	// ReplaceAccessToken removes the access token Number and adds another in its
	// place, with its Family and the next Generation: ErrNotFound when it is gone,
	// ErrConflict when its UpdatedAt is not Read.
	ReplaceAccessToken struct {
		Number      int64
		Read        int64
		AccessToken AccessToken
		// Given, unless nil, is told the number that the new one was given.
		Given *int64
	}
	// UpdateAccessToken sets Scope, Description and UpdatedAt: ErrNotFound when
	// there is no such token, ErrConflict when its UpdatedAt is not Read.
	UpdateAccessToken struct {
		Tenant             string
		Number             int64
		Scope, Description string
		UpdatedAt          int64
		Read               int64
	}
	// DeleteAccessTokens removes the token Number; where that is 0, the one of
	// Family; where that is 0 too, all of Subject that were made until At; where
	// that is empty, all of Client that were; where that is empty too, all of Tenant
	// that were. None is no error.
	DeleteAccessTokens struct {
		Tenant          string
		Number, Family  int64
		Subject, Client string
		At              int64
		// Removed, unless nil, is told how many there were.
		Removed *int64
	}
)

func (CreateAccessToken) command()  {}
func (ReplaceAccessToken) command() {}
func (UpdateAccessToken) command()  {}
func (DeleteAccessTokens) command() {}

// AccessTokens reads access tokens. What Purge removes by its Before are those with
// a KeepUntil, ended or not.
type AccessTokens interface {
	// AccessToken returns one access token: ErrNotFound when there is none.
	AccessToken(ctx context.Context, tenant string, number int64) (AccessToken, error)
	// AccessTokenOf returns the one of a family: ErrNotFound when there is none.
	AccessTokenOf(ctx context.Context, tenant string, family int64) (AccessToken, error)
	// ListAccessTokens returns up to limit access tokens whose numbers come after
	// `after`, by number. A page costs the same wherever it is: for all, for those of
	// one user and for those of one application.
	ListAccessTokens(ctx context.Context, tenant string, f AccessTokenFilter, after int64, limit int) ([]AccessToken, error)
	// CountAccessTokens tells how many there are. It costs the same however many
	// there are, for the filters for which a page does.
	CountAccessTokens(ctx context.Context, tenant string, f AccessTokenFilter) (int64, error)
}
