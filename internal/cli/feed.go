package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/pkg/client"
	"github.com/ats-auth/ats-auth/pkg/token"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

// follow has a verifier refuse what the feed of a server tells. One token waits for
// the feed once its signature is known to be good; for a stream the feed is followed
// from before the first line. now is the true clock, whatever tokens are judged by.
func (a *app) follow(ctx context.Context, stream bool, now func() time.Time) (adjust func(*verifier.Config), stop func(), err error) {
	feed, err := a.feed(strings.TrimSuffix(strings.TrimSuffix(a.profile.Value("feed").Reveal(), "/"), verifier.FeedPath), now)
	if err != nil {
		return nil, nil, a.ofFeed(err)
	}
	set := new(verifier.Revocations)
	follower, err := verifier.NewFollower(verifier.FollowerConfig{Feed: &tidied{Dated: feed, now: now}, Into: set, Now: now})
	if err != nil {
		return nil, nil, err
	}
	fresh, ctx, end := follower.Fresh, ctx, feed.Close
	if stream {
		if err := follower.Sync(ctx); err != nil {
			return nil, nil, a.ofFeed(err)
		}
		followed, cancel := context.WithCancel(ctx)
		gone := make(chan struct{})
		go func() { defer close(gone); follower.Run(followed) }()
		end = func() { cancel(); <-gone; feed.Close() }
	} else {
		fresh = func() error {
			if err := follower.Sync(ctx); err != nil {
				return a.ofFeed(err)
			}
			return a.ofFeed(follower.Fresh())
		}
	}
	return func(v *verifier.Config) { v.Revocations, v.Fresh, v.Tenant = set, fresh, feed.Tenant }, end, nil
}

// ofFeed is what the feed's server is the cause of, with where its address comes from.
func (a *app) ofFeed(err error) error {
	if !errors.Is(err, client.ErrUnreachable) && !errors.Is(err, token.ErrUnavailable) && !isForeign(err) {
		return err
	}
	v := a.profile.Value("feed")
	return &hinted{err, fmt.Sprintf("check the feed: %s comes from %s", safe(v.Reveal()), v.Source())}
}

// tidied is a feed that lets what is over be forgotten, once a minute: a stream may be
// followed for months.
type tidied struct {
	verifier.Dated
	now func() time.Time
	at  time.Time // of the last time
}

// Next is verifier.Feed.
func (t *tidied) Next(ctx context.Context, cursor string, into *verifier.Revocations) (string, error) {
	next, err := t.Dated.Next(ctx, cursor, into)
	if now := t.now(); now.Sub(t.at) >= time.Minute {
		t.at = now
		into.Prune(now)
	}
	return next, err
}

// feed is that of the server at an address, read with the profile's client
// credentials.
func (a *app) feed(address string, now func() time.Time) (*verifier.HTTPFeed, error) {
	if err := a.checkGrant(token.GrantClientCredentials); err != nil {
		return nil, err
	}
	config := a.clientConfig()
	config.Dialect, config.URL = "oauth2", address
	if err := a.identifyOAuth2(&config); err != nil {
		return nil, err
	}
	config.Issuer, config.ProofKey = address, nil
	service, err := a.openClient(config)
	if err != nil {
		return nil, err
	}
	http, err := client.NewHTTPClient(config)
	if err != nil {
		return nil, &configError{problem: err.Error(), cause: err}
	}
	c := verifier.HTTPFeedConfig{URL: address, Client: http, Now: now, Token: func(ctx context.Context) (string, error) {
		set, err := service.Grant(ctx, token.Grant{Type: token.GrantClientCredentials}, token.Request{Scope: "revocations"})
		return set.AccessToken.Reveal(), err
	}}
	if a.dialect() == "tapis" {
		c.Tenant = a.profile.Value("tenant").Reveal()
	}
	feed, err := verifier.NewHTTPFeed(c)
	if err != nil {
		return nil, &configError{problem: "--feed: " + err.Error(), cause: err}
	}
	return feed, nil
}
