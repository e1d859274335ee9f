package server

import (
	"context"
	"net/http"
	"slices"

	"github.com/ats-auth/ats-auth/internal/dialect/awx"
	awxdoor "github.com/ats-auth/ats-auth/internal/dialect/awx/door"
	"github.com/ats-auth/ats-auth/internal/dialect/oauth2/door"
	"github.com/ats-auth/ats-auth/internal/issuer"
)

// awxAccessTTL is the lifetime of the awx door's access tokens where no property
// says otherwise, in seconds.
const awxAccessTTL = 31_536_000_000

// openBeside opens the awx door of the token core, and says where people let its
// applications in; nil: the door is not to be open.
func (s *Server) openBeside(ctx context.Context) (*door.Beside, error) {
	if !slices.Contains(s.config.Dialects, "awx") {
		return nil, nil
	}
	var err error
	s.awx, err = s.issuer.Door(ctx, issuer.DoorConfig{
		Name: "awx", Issuer: s.config.PublicURL, Format: issuer.FormatAWX(), AccessTTL: awxAccessTTL,
	})
	return &door.Beside{Path: awx.PathAuthorize, Door: s.awx}, err
}

// openAWX puts the awx door in front of others. People log in at the pages of the
// oauth2 door; where that is not open, at the same pages alone.
func (s *Server) openAWX(beside *door.Beside, standard *door.Handler, others http.Handler) (http.Handler, error) {
	if standard == nil {
		var err error
		standard, err = door.New(door.Config{
			URL: s.config.PublicURL, Core: s.issuer, Door: s.ats, Beside: beside, PagesAlone: true, Report: s.report, Now: s.config.Now,
		})
		if err != nil {
			return nil, err
		}
		others = before(doorAWX, standard, others)
	}
	h, err := awxdoor.New(awxdoor.Config{
		URL: s.config.PublicURL, Core: s.issuer, Door: s.awx, Authorize: standard, Report: s.report, Now: s.config.Now,
	})
	if err != nil {
		return nil, err
	}
	return before(doorAWX, h, others), nil
}
