package ats

import (
	"net/http"
	"testing"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/internal/dialect/dialecttest"
)

func TestBothEndsUnderstandEachOther(t *testing.T) {
	dialecttest.Run(t, dialecttest.Dialect{
		NewHandler: func(a dialect.Authority, fail dialecttest.Fail) http.Handler {
			return NewHandler(a, Config{Fail: fail})
		},
		NewClient: NewClient,
		Cannot:    dialecttest.Cannot{RenewTTL: true, RenewEnd: true, RenewScope: true, AnswerScope: true},
	})
}
