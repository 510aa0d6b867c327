package connect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/internal/netguard"
	"github.com/hone-ml/hone/labelstudio"
)

// challengeTimeout bounds a challenge: hone answers /health at once.
const challengeTimeout = 5 * time.Second

// errNotHone says that the server at an address is not this hone.
var errNotHone = errors.New("what answers there is not this hone")

// challenge asks the server at an address to prove that it is this hone, and returns nil if
// it does. Label Studio sends a token and every annotation to an address that hone
// registers. asked is true when the operator named the address; one on this machine that
// Label Studio's users may have registered must have hone's own port.
func (l *Link) challenge(ctx context.Context, address string, asked bool) error {
	ctx, cancel := context.WithTimeout(ctx, challengeTimeout)
	defer cancel()
	at := strings.TrimRight(labelstudio.WithoutUserInfo(address), "/")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at+"/health", nil)
	if err != nil {
		return errors.New("it is not an address")
	}
	nonce := access.NewChallenge()
	req.Header.Set(access.ChallengeHeader, nonce)
	req.Header.Set("User-Agent", "hone")
	t := l.o.Client.Transport
	if t == nil {
		policy := netguard.Policy{AllowLoopback: true}
		if !asked {
			policy.LoopbackPort = l.o.Port
		}
		t = policy.Transport(&http.Transport{TLSClientConfig: l.o.Client.TLS.Clone(), DisableKeepAlives: true})
	}
	client := &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("hone does not reach itself there: %w", innermost(err))
	}
	defer func() { _ = res.Body.Close() }()
	var answer struct{ Challenge string }
	if res.StatusCode != http.StatusOK || json.NewDecoder(io.LimitReader(res.Body, 4<<10)).Decode(&answer) != nil {
		return errNotHone
	}
	if !l.o.Keys.Identity().Verify(nonce, answer.Challenge) {
		return errNotHone
	}
	return nil
}
