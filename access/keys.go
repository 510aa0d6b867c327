package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/hone-ml/hone/internal/fsutil"
)

// User is the user name that goes with the secret.
const User = "hone"

// Pair holds the user and the password of HTTP Basic authentication.
type Pair struct{ User, Password string }

// Options of [Open]. Everything but Dir may be empty.
type Options struct {
	// Dir is the data directory; it is made when it is missing.
	Dir string
	// Secret is HONE_SECRET; empty: the file's.
	Secret string
	// Basic is BASIC_AUTH_USER and BASIC_AUTH_PASS.
	Basic Pair
	// HookHeader is the header that carries a webhook's secret, HookSecret is
	// webhook.secret; empty: the secret.
	HookHeader string
	HookSecret string
	// AdminToken is HONE_ADMIN_TOKEN; empty: the file's. ViewToken is
	// HONE_VIEW_TOKEN.
	AdminToken, ViewToken string
}

// Keys are hone's credentials: those it accepts, and those it gives to Label
// Studio. They are safe for concurrent use; [Keys.Rotate] changes them.
type Keys struct {
	o          Options
	identity   Identity
	sessions   *Sessions
	firstStart bool
	admin      secretHash
	view       secretHash
	// adminConfigured: the token is the operator's choice, not the file's.
	adminConfigured bool

	mu       sync.RWMutex
	secret   string
	previous string
	accepted []credential
	headers  []credential // without a user
}

// credential is one credential of Label Studio, as hashes of one length, so that
// comparing takes the same time whatever was sent.
type credential struct {
	user, password secretHash
	stale          bool
}

type secretHash [sha256.Size]byte

func hashOf(s string) secretHash { return sha256.Sum256([]byte(s)) }

func (h secretHash) equals(s string) int {
	sum := sha256.Sum256([]byte(s))
	return subtle.ConstantTimeCompare(h[:], sum[:])
}

// Open reads the files in the data directory, and makes those that are missing
// and not replaced by an option.
func Open(o Options) (*Keys, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("create the data directory: %w", err)
	}
	k := &Keys{o: o, secret: o.Secret, adminConfigured: o.AdminToken != ""}
	key, made, err := ensureLine(o.Dir, identityFile)
	if err != nil {
		return nil, err
	}
	k.identity, k.firstStart = Identity{key: []byte(key)}, made
	if k.secret == "" {
		if k.secret, _, err = ensureLine(o.Dir, secretFile); err != nil {
			return nil, err
		}
		if k.previous, err = readLine(o.Dir, previousFile); err != nil {
			return nil, err
		}
	}
	admin := o.AdminToken
	if admin == "" {
		if admin, _, err = ensureLine(o.Dir, adminFile); err != nil {
			return nil, err
		}
	}
	k.admin = hashOf(admin)
	if o.ViewToken != "" {
		k.view = hashOf(o.ViewToken)
	}
	k.o.AdminToken = admin
	k.sessions = newSessions(k.identity, admin, o.ViewToken)
	k.listCredentials()
	return k, nil
}

// listCredentials lists the credentials that open Label Studio's routes. The lock is held,
// or nobody else has k yet.
func (k *Keys) listCredentials() {
	k.accepted, k.headers = nil, nil
	header := func(value string, stale bool) {
		if value != "" {
			k.headers = append(k.headers, credential{password: hashOf(value), stale: stale})
		}
	}
	header(k.secret, false)
	header(k.o.HookSecret, false)
	header(k.previous, true)
	add := func(p Pair, stale bool) {
		if p.User != "" && p.Password != "" {
			k.accepted = append(k.accepted, credential{hashOf(p.User), hashOf(p.Password), stale})
		}
	}
	add(Pair{User, k.secret}, false)
	add(Pair{User, k.o.HookSecret}, false)
	add(k.o.Basic, false)
	add(Pair{User, k.previous}, true)
}

// First reports whether this is the first start of a hone that has credentials in
// this directory.
func (k *Keys) First() bool { return k.firstStart }

// Identity answers challenges.
func (k *Keys) Identity() Identity { return k.identity }

// Backend returns the credential that Label Studio shall send with the calls of the
// ML-backend protocol.
func (k *Keys) Backend() Pair {
	k.mu.RLock()
	defer k.mu.RUnlock()
	switch {
	case k.o.Secret == "" && k.o.Basic.User != "":
		return k.o.Basic
	case k.o.Secret == "" && k.o.HookSecret != "":
		return Pair{User, k.o.HookSecret}
	}
	return Pair{User, k.secret}
}

// Hook returns the header and its value that Label Studio shall send with webhooks.
// Label Studio shows it to each of its users, so it is never the password of the
// operator's own choice.
func (k *Keys) Hook() (header, value string) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.o.HookSecret != "" {
		return k.o.HookHeader, k.o.HookSecret
	}
	return k.o.HookHeader, k.secret
}

// Current reports whether a pair is one that a registration may carry: accepted,
// and not about to be replaced.
func (k *Keys) Current(p Pair) bool { return k.proofOfPair(p) == Proven }

// CurrentHook is Current for the value of the webhook's header.
func (k *Keys) CurrentHook(value string) bool { return k.proofOfHook(value) == Proven }

// Configured reports whether the operator has chosen a secret, in place of the
// one that hone made.
func (k *Keys) Configured() bool {
	return k.o.Secret != "" || k.o.HookSecret != "" || k.o.Basic.User != ""
}

// Proof says which secret a request of Label Studio carried.
type Proof int

// A proof by the secret that is being replaced still counts, but whoever sent it
// must be told the new one.
const (
	Unproven Proof = iota
	Stale
	Proven
)

func (k *Keys) proofOfPair(p Pair) (best Proof) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for _, a := range k.accepted {
		if a.user.equals(p.User)&a.password.equals(p.Password) == 1 {
			best = max(best, proofFrom(a.stale))
		}
	}
	return best
}

func (k *Keys) proofOfHook(value string) (best Proof) {
	if value == "" {
		return Unproven
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	for _, a := range k.headers {
		if a.password.equals(value) == 1 {
			best = max(best, proofFrom(a.stale))
		}
	}
	return best
}

func proofFrom(stale bool) Proof {
	if stale {
		return Stale
	}
	return Proven
}

// proofOf is the proof in a request of Label Studio; the header counts for
// webhooks only.
func (k *Keys) proofOf(r *http.Request, hook bool) (best Proof) {
	if user, password, ok := r.BasicAuth(); ok {
		best = k.proofOfPair(Pair{user, password})
	}
	if hook {
		best = max(best, k.proofOfHook(r.Header.Get(k.o.HookHeader)))
	}
	return best
}

// roleOf is the role that a request's token gives; Public without one.
func (k *Keys) roleOf(r *http.Request) Role {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return Public
	}
	return k.RoleOfToken(token)
}

// All returns all secrets, for callers that must keep them out of a text.
func (k *Keys) All() []string {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return []string{
		k.secret, k.previous, k.o.Secret, k.o.HookSecret, k.o.Basic.Password,
		k.o.AdminToken, k.o.ViewToken, string(k.identity.key),
	}
}

// ErrConfigured says that hone cannot replace a secret that was configured.
var ErrConfigured = errors.New("the secret is configured (HONE_SECRET, BASIC_AUTH_PASS or HONE_WEBHOOK_SECRET), so hone cannot replace it: change it there and restart hone, which then puts the new one into Label Studio's registrations")

// Rotate makes a new secret; the old one goes on counting until [Keys.Retire].
// Rotating again before that keeps the oldest: it is the one registrations carry.
func (k *Keys) Rotate() error {
	if k.Configured() {
		return ErrConfigured
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	next := newSecret()
	if k.previous == "" {
		// The old one first: a stop in between loses nothing.
		if err := writeLine(k.o.Dir, previousFile, k.secret); err != nil {
			return err
		}
		k.previous = k.secret
	}
	if err := writeLine(k.o.Dir, secretFile, next); err != nil {
		return err
	}
	k.secret = next
	k.listCredentials()
	return nil
}

// Rotating reports whether an old secret still counts.
func (k *Keys) Rotating() bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.previous != ""
}

// Retire ends the time of the old secret: every registration carries the new one.
func (k *Keys) Retire() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.previous == "" {
		return nil
	}
	if err := fsutil.Remove(filepath.Join(k.o.Dir, previousFile)); err != nil {
		return err
	}
	k.previous = ""
	k.listCredentials()
	return nil
}

// Read returns the credential that Label Studio shall send, without creating any file: for a
// command beside a hone that has its files already.
func Read(o Options) (Pair, error) {
	k := &Keys{o: o, secret: o.Secret}
	if k.Configured() {
		return k.Backend(), nil
	}
	secret, err := readLine(o.Dir, secretFile)
	if err != nil {
		return Pair{}, err
	}
	if secret == "" {
		return Pair{}, fmt.Errorf("there is no secret in %s yet: start hone there once (`hone serve`), or name its directory with --data-dir", o.Dir)
	}
	return Pair{User, secret}, nil
}
