package door

import (
	"errors"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect/oauth2"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

const (
	feedWait  = 25 * time.Second // the longest that a request waits
	feedBeat  = time.Second      // between two events of a stream at the most
	feedGrace = 10 * time.Second // for an answer to be taken
)

var goodNonce = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// revocations is the feed of what was revoked, for verifiers in other processes. No
// standard has it. A request waits for facts, or gets them as server-sent events.
func (h *Handler) revocations(w http.ResponseWriter, r *http.Request) {
	q := issuer.FeedQuery{Came: h.Core.Machine()}
	live, err := h.follower(w, r)
	if err == nil {
		err = readFeedQuery(r, &q)
	}
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	leave, ok := h.Core.EnterFeed()
	if ok {
		defer leave()
	}
	if strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
		h.stream(w, r, live, q, ok)
		return
	}
	if !ok { // too many wait: it is answered at once
		q.Wait = 0
	}
	unhurried(w, q.Wait)
	page, err := h.feed(r, live, q)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/"+verifier.FeedType)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", strconv.Itoa(len(page.Signed))) // so that who reads makes room once
	_, _ = io.WriteString(w, page.Signed)
}

// follower is the bearer of a token for the feed: an application that acts for
// itself. A user's token has all scopes, and none of the users is to see what the
// others revoke.
func (h *Handler) follower(w http.ResponseWriter, r *http.Request) (*issuer.Live, error) {
	live, err := h.bearer(w, r)
	if err != nil {
		return nil, err
	}
	if live.Door != h.Door || live.Client == "" || live.User != live.Client {
		return nil, refusal{
			status: http.StatusForbidden, code: oauth2.ErrorInsufficientScope, description: "the feed is for applications that act for themselves",
			challenge: `Bearer realm="ats-auth", error="insufficient_scope", scope="` + issuer.ScopeRevocations + `"`,
		}
	}
	return live, needScope(live, issuer.ScopeRevocations)
}

func readFeedQuery(r *http.Request, q *issuer.FeedQuery) error {
	f, err := parseForm(r.URL.RawQuery)
	if err != nil {
		return err
	}
	q.After, q.Nonce = f.get("after"), f.get("nonce")
	if q.Snapshot = f.get("snapshot") == "1"; !q.Snapshot && f.get("snapshot") != "" {
		return refuse(oauth2.ErrorInvalidRequest, "snapshot is not 1")
	}
	if q.After == "" { // of a stream that broke off
		q.After = r.Header.Get("Last-Event-ID")
	}
	if q.Nonce != "" && !goodNonce.MatchString(q.Nonce) {
		return refuse(oauth2.ErrorInvalidRequest, "nonce is not of 1 to 64 characters of base64url")
	}
	if text := f.get("wait"); text != "" {
		if q.Wait, err = time.ParseDuration(text); err != nil || q.Wait < 0 {
			return refuse(oauth2.ErrorInvalidRequest, "wait is no time like 25s")
		}
	}
	q.Wait = min(q.Wait, feedWait)
	return nil
}

// feed is one page, if the bearer's token is still good when it is there.
func (h *Handler) feed(r *http.Request, live *issuer.Live, q issuer.FeedQuery) (issuer.FeedPage, error) {
	page, err := h.Door.Feed(r.Context(), q)
	if errors.Is(err, issuer.ErrCursor) { // the follower must begin anew
		err = refusal{status: http.StatusGone, code: oauth2.ErrorInvalidRequest, description: err.Error()}
	}
	if err != nil {
		return page, err
	}
	err = live.Still(r.Context())
	if known, ok := asRefusal(err); err != nil && ok {
		err = challenged(live.Thumbprint() != "", refusal{code: oauth2.ErrorInvalidToken, description: known.description})
	}
	return page, err
}

// unhurried lets an answer take that long, whatever the server's deadline for writing.
// Who cannot set it has none.
func unhurried(w http.ResponseWriter, wait time.Duration) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(wait + feedGrace))
}

// stream sends a page whenever there are facts, and an empty one each second, for as
// long as the bearer's token is good.
func (h *Handler) stream(w http.ResponseWriter, r *http.Request, live *issuer.Live, q issuer.FeedQuery, ok bool) {
	if !ok {
		w.Header().Set("Retry-After", "1")
		h.writeError(w, refusal{status: http.StatusServiceUnavailable, code: oauth2.ErrorTemporarilyUnavailable, description: "too many follow the feed"})
		return
	}
	q.Wait, q.Snapshot = 0, false
	for began := false; ; began = true {
		unhurried(w, q.Wait)
		page, err := h.feed(r, live, q)
		if err != nil {
			if !began {
				h.refuse(w, r, err)
			}
			return
		}
		if !began {
			w.Header().Set("Content-Type", "text/event-stream")
			w.Header().Set("Cache-Control", "no-store")
			w.Header().Set("X-Accel-Buffering", "no")
		}
		_, err = io.WriteString(w, "id: "+page.Next+"\ndata: "+page.Signed+"\n\n")
		if err != nil || http.NewResponseController(w).Flush() != nil || h.Core.IsDrained() {
			return
		}
		q.After, q.Wait = page.Next, feedBeat
	}
}
