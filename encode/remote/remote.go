// Package remote embeds texts with a server that answers POST /v1/embeddings as that of OpenAI does:
// OpenAI itself, or vLLM, Ollama, llama.cpp, text-embeddings-inference
// and others on a machine of one's own.
package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hone-ml/hone/internal/backoff"
	"github.com/hone-ml/hone/internal/cut"
)

const (
	// batchTexts and batchBytes bound one request. Servers refuse larger ones.
	batchTexts = 64
	batchBytes = 256 << 10
	// maxText is the number of bytes of a text that are sent. Models read some thousand tokens.
	maxText = 32 << 10
	// minText is the length in bytes below which a refused text is not shortened.
	minText = 512
	// answerBytesPerText and answerOverhead bound the bytes that are read of an answer: vectors
	// of some 15,000 numbers, and the JSON around them.
	answerBytesPerText = 256 << 10
	answerOverhead     = 64 << 10

	maxAttempts = 4
	maxBackoff  = 30 * time.Second
)

// retryDelays are those between attempts, but for what the server asks.
var retryDelays = backoff.Exponential{Min: 500 * time.Millisecond, Max: maxBackoff}

// Options configure a Client.
type Options struct {
	// URL is the server's address, with or without /v1 and /embeddings.
	URL string
	// Model is the name of the model at the server. Some servers need none.
	Model string
	// Key is sent as a bearer token to URL and goes nowhere else; a function, so
	// that printing Options does not show it. Nil: no key.
	Key func() string
	// Timeout bounds one attempt, 30 s if zero.
	Timeout time.Duration
	// Transport is for tests.
	Transport http.RoundTripper
}

func (o *Options) setDefaults() {
	if o.Key == nil {
		o.Key = func() string { return "" }
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Transport == nil {
		o.Transport = http.DefaultTransport.(*http.Transport).Clone()
	}
}

// Client implements encode.BatchEncoder. It is safe for concurrent use.
type Client struct {
	url   string
	model string
	key   func() string
	http  *http.Client
	wait  func(ctx context.Context, d time.Duration) bool // backoff.Sleep, but in tests
}

// New returns a client. It sends nothing. The error says which option is invalid.
func New(o Options) (*Client, error) {
	u, err := endpoint(o.URL)
	if err != nil {
		return nil, err
	}
	o.setDefaults()
	return &Client{
		url: u, model: o.Model, key: o.Key, wait: backoff.Sleep,
		http: &http.Client{
			Transport: o.Transport, Timeout: o.Timeout,
			// A redirect could lead the key and the texts to another host.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// endpoint completes an address. Its errors do not quote the address, which may have a password.
func endpoint(s string) (string, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return "", errors.New(`the address of the embedding server must be whole, such as "openai:http://localhost:8080/v1"`)
	case u.User != nil:
		return "", errors.New("the address of the embedding server holds a user name or password: give the key as learner.openai_key")
	case u.Fragment != "" || u.RawQuery != "":
		return "", errors.New("the address of the embedding server has a query or a fragment: leave it out")
	}
	path := strings.TrimRight(u.Path, "/")
	switch {
	case strings.HasSuffix(path, "/embeddings"):
	case path == "":
		path = "/v1/embeddings"
	default:
		path += "/embeddings"
	}
	u.Path, u.RawPath = path, ""
	return u.String(), nil
}

// Name implements encode.BatchEncoder: the server and the model decide the vectors.
func (c *Client) Name() string { return "openai/1 " + c.model + " " + c.url }

// EncodeBatch implements encode.BatchEncoder. A text that the server refuses although it
// takes others gets no numbers, after it was tried shortened.
func (c *Client) EncodeBatch(ctx context.Context, texts []string) ([][]float32, error) {
	out := make([][]float32, 0, len(texts))
	for len(texts) > 0 {
		n, size := 0, 0
		batch := make([]string, 0, min(len(texts), batchTexts))
		for n < len(texts) && n < batchTexts {
			t := truncate(texts[n], maxText)
			if size += len(t); n > 0 && size > batchBytes {
				break
			}
			batch = append(batch, t)
			n++
		}
		xs, err := c.encodeSplitting(ctx, batch)
		if err != nil {
			return nil, err
		}
		out = append(out, xs...)
		texts = texts[n:]
	}
	return out, nil
}

// truncate shortens the text to at most n bytes, not within a character, and makes it valid
// UTF-8. What replaces a fault may be longer.
func truncate(text string, n int) string {
	return strings.ToValidUTF8(cut.Bytes(text, n), "\uFFFD")
}

// encodeSplitting encodes a batch. When the server refuses it, it encodes the halves, down
// to the text that is the reason.
func (c *Client) encodeSplitting(ctx context.Context, texts []string) ([][]float32, error) {
	xs, err := c.sendWithRetry(ctx, texts)
	var refused *refusedError
	if !errors.As(err, &refused) {
		return xs, err
	}
	if n := len(texts); n > 1 {
		left, err := c.encodeSplitting(ctx, texts[:n/2])
		if err != nil {
			return nil, err
		}
		right, err := c.encodeSplitting(ctx, texts[n/2:])
		return append(left, right...), err
	}
	for size := len(texts[0]) / 2; size >= minText; size /= 2 {
		xs, err := c.sendWithRetry(ctx, []string{truncate(texts[0], size)})
		if !errors.As(err, new(*refusedError)) {
			return xs, err
		}
	}
	// Is it the text, or would the server refuse any?
	if _, err := c.sendWithRetry(ctx, []string{"text"}); err != nil {
		return nil, err
	}
	return [][]float32{nil}, nil
}

// refusedError says that the server will not take a request as it is.
type refusedError struct {
	status  int
	message string
}

func (e *refusedError) Error() string {
	return fmt.Sprintf("the embedding server refuses the request (%d): %s", e.status, e.message)
}

// temporaryError marks an error after which a retry can succeed.
type temporaryError struct {
	error
	retryAfter time.Duration // the pause that the server asks for, 0 if none
}

func (e *temporaryError) Unwrap() error { return e.error }

// sendWithRetry sends a request until it succeeds, fails for good, or maxAttempts are made.
func (c *Client) sendWithRetry(ctx context.Context, texts []string) ([][]float32, error) {
	for attempt := 1; ; attempt++ {
		xs, err := c.send(ctx, texts)
		var passing *temporaryError
		if !errors.As(err, &passing) || attempt == maxAttempts || ctx.Err() != nil {
			return xs, err
		}
		pause := retryDelays.Delay(attempt - 1)
		wait := max(pause/2+rand.N(pause), passing.retryAfter) // spread, for several hones
		if deadline, ok := ctx.Deadline(); wait > maxBackoff || ok && time.Until(deadline) < wait {
			return nil, err // the caller tries again later
		}
		if !c.wait(ctx, wait) {
			return nil, err
		}
	}
}

type embeddingRequest struct {
	Model  string   `json:"model,omitempty"`
	Input  []string `json:"input"`
	Format string   `json:"encoding_format"`
}

func (c *Client) send(ctx context.Context, texts []string) ([][]float32, error) {
	body, err := json.Marshal(embeddingRequest{Model: c.model, Input: texts, Format: "float"})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	key := c.key()
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var withURL *url.Error
		if errors.As(err, &withURL) {
			err = withURL.Err
		}
		return nil, &temporaryError{error: fmt.Errorf("the embedding server does not answer: %w", err)}
	}
	defer func() { _ = resp.Body.Close() }()
	most := answerOverhead + answerBytesPerText*len(texts)
	answer, err := io.ReadAll(io.LimitReader(resp.Body, int64(most)+1))
	if err != nil {
		return nil, &temporaryError{error: fmt.Errorf("the embedding server's answer breaks off: %w", err)}
	}
	switch said := excerptWithoutKey(answer, key); {
	case resp.StatusCode == http.StatusOK && len(answer) > most:
		return nil, fmt.Errorf("the embedding server's answer to %d texts is larger than %d KiB", len(texts), most>>10)
	case resp.StatusCode == http.StatusOK:
		return decodeVectors(answer, len(texts))
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusRequestTimeout || resp.StatusCode >= 500:
		return nil, &temporaryError{fmt.Errorf("the embedding server cannot now (%d): %s", resp.StatusCode, said), retryAfter(resp.Header)}
	case resp.StatusCode == http.StatusBadRequest || resp.StatusCode == http.StatusRequestEntityTooLarge || resp.StatusCode == http.StatusUnprocessableEntity:
		return nil, &refusedError{resp.StatusCode, said}
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		return nil, fmt.Errorf("the embedding server does not accept the key (%d): set learner.openai_key. It says: %s", resp.StatusCode, said)
	case resp.StatusCode == http.StatusNotFound:
		return nil, fmt.Errorf("the embedding server knows no such address or model (404): check learner.encoder and learner.openai_model. It says: %s", said)
	case resp.StatusCode/100 == 3:
		return nil, fmt.Errorf("the embedding server redirects (%d), which hone does not follow: give the final address", resp.StatusCode)
	default:
		return nil, fmt.Errorf("the embedding server answers %d: %s", resp.StatusCode, said)
	}
}

// excerptWithoutKey returns the beginning of an answer, with the key removed.
func excerptWithoutKey(answer []byte, key string) string {
	const most = 300
	s := string(answer[:min(len(answer), 4*most)])
	if key != "" {
		s = strings.ReplaceAll(s, key, "***")
	}
	return strconv.Quote(truncate(s, most))
}

// retryAfter returns the pause in the Retry-After header of an answer, 0 if there is none or it is
// implausibly long.
func retryAfter(h http.Header) time.Duration {
	if d, ok := backoff.RetryAfter(h, time.Now()); ok && d <= time.Hour {
		return d
	}
	return 0
}

// decodeVectors reads the answer to a request with n texts. Its memory is bounded by the
// answer's size.
func decodeVectors(answer []byte, n int) ([][]float32, error) {
	var a struct {
		Data []struct {
			Index     *int      `json:"index"`
			Embedding []float32 `json:"embedding"`
		} `json:"data"`
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return nil, fmt.Errorf("the embedding server's answer is not that of /v1/embeddings: %w", err)
	}
	if len(a.Data) != n {
		return nil, fmt.Errorf("the embedding server answers %d vectors for %d texts", len(a.Data), n)
	}
	out := make([][]float32, n)
	for place, d := range a.Data {
		if d.Index != nil {
			place = *d.Index
		}
		if place < 0 || place >= n || out[place] != nil {
			return nil, fmt.Errorf("the embedding server answers with the index %d, twice or out of range", place)
		}
		if len(d.Embedding) == 0 || len(d.Embedding) != len(a.Data[0].Embedding) {
			return nil, fmt.Errorf("the embedding server's vectors have %d and %d numbers", len(a.Data[0].Embedding), len(d.Embedding))
		}
		out[place] = d.Embedding
	}
	return out, nil
}
