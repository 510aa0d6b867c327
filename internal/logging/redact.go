package logging

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/sirupsen/logrus"
)

const mask = "***"

// redactor replaces secrets in the finished line: no field, error or nested
// value can carry one past it.
type redactor struct {
	next logrus.Formatter
	json bool

	mu      sync.Mutex // guards secrets
	secrets []string
	replace atomic.Pointer[strings.Replacer] // nil: nothing to replace
}

// Format implements logrus.Formatter.
func (r *redactor) Format(e *logrus.Entry) ([]byte, error) {
	line, err := r.next.Format(e)
	replace := r.replace.Load()
	if err != nil || replace == nil {
		return line, err
	}
	clean := replace.Replace(string(line))
	if r.json && !json.Valid([]byte(clean)) {
		// A secret made of digits stood where JSON has a number.
		b, err := json.Marshal(map[string]string{"level": e.Level.String(), "msg": strings.TrimSpace(clean)})
		return append(b, '\n'), err
	}
	return []byte(clean), nil
}

func (r *redactor) add(secrets []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := len(r.secrets)
	for _, s := range secrets {
		if s != "" && !slices.Contains(r.secrets, s) {
			r.secrets = append(r.secrets, s)
		}
	}
	if len(r.secrets) > before {
		r.replace.Store(replacer(r.secrets, r.json))
	}
}

// replacer knows the forms in which a secret may be written: as it is, quoted
// once or twice (an error that quotes, in a line that quotes), or in a URL.
func replacer(secrets []string, inJSON bool) *strings.Replacer {
	var forms []string
	add := func(s string) {
		for _, once := range written(s) {
			for _, twice := range written(once) {
				// A line of JSON has no bare quote but JSON's own.
				if !inJSON || !bareQuote(twice) {
					forms = append(forms, twice)
				}
			}
		}
	}
	for _, s := range secrets {
		add(s)
		add(url.QueryEscape(s))
		add(url.PathEscape(s))
	}
	// The longest first: where one form begins another, no rest may stay.
	slices.SortFunc(forms, func(a, b string) int {
		if d := len(b) - len(a); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	forms = slices.Compact(forms)
	pairs := make([]string, 0, 2*len(forms))
	for _, f := range forms {
		pairs = append(pairs, f, mask)
	}
	return strings.NewReplacer(pairs...)
}

func bareQuote(s string) bool {
	return strings.Contains(strings.ReplaceAll(s, `\"`, ""), `"`)
}

// written are the forms in which s may stand inside a quoted text, or bare.
func written(s string) []string {
	return []string{s, jsonInner(s, false), jsonInner(s, true), quoteInner(s)}
}

// jsonInner is s as it stands between the quotes of a JSON string; html: with
// angle brackets and ampersands escaped, as is Go's way unless told otherwise.
func jsonInner(s string, html bool) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(html)
	if err := e.Encode(s); err != nil {
		return s
	}
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(b.String()), `"`), `"`)
}

// quoteInner is s as it stands between the quotes that %q writes.
func quoteInner(s string) string {
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}
