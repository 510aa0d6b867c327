package api

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/secret"
)

// ErrNotRunning says that nothing answers at hone's address.
var ErrNotRunning = errors.New("hone is not running")

// Client asks a running hone. The zero HTTP client has no timeout: commands
// such as doctor take as long as Label Studio does; use the context.
type Client struct {
	// Base is hone's address, such as http://127.0.0.1:9090.
	Base string
	// Token is hone's admin token, empty where none is asked for.
	Token string
	HTTP  *http.Client
}

// BaseFromListen turns a listen address such as ":9090" into the URL at which
// this machine reaches it, with https if it serves that.
func BaseFromListen(listen string, https bool) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", fmt.Errorf("listen address %q is not host:port: %w", listen, err)
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "127.0.0.1"
	}
	scheme := "http"
	if https {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, port), nil
}

// List lists all projects, and what is wrong with hone as a whole.
func (c *Client) List(ctx context.Context) (Listing, error) {
	var out Listing
	err := c.do(ctx, http.MethodGet, "/api/projects", nil, &out)
	return out, err
}

// Projects lists all projects.
func (c *Client) Projects(ctx context.Context) ([]Project, error) {
	out, err := c.List(ctx)
	return out.Projects, err
}

// Project returns one project.
func (c *Client) Project(ctx context.Context, id event.ProjectID) (Project, error) {
	var out Project
	err := c.do(ctx, http.MethodGet, projectPath(id, ""), nil, &out)
	return out, err
}

// Configure changes settings of a project, all or none.
func (c *Client) Configure(ctx context.Context, id event.ProjectID, changes []Change) (Configuration, error) {
	body := map[string]*string{}
	for _, ch := range changes {
		body[ch.Key] = ch.Value
	}
	var out Configuration
	err := c.do(ctx, http.MethodPatch, projectPath(id, ""), body, &out)
	return out, err
}

// Versions lists a project's versions, oldest first.
func (c *Client) Versions(ctx context.Context, id event.ProjectID) ([]Version, error) {
	var out VersionList
	err := c.do(ctx, http.MethodGet, projectPath(id, "/versions"), nil, &out)
	return out.Versions, err
}

// Accuracy returns how a project's accuracy rose with its labels.
func (c *Client) Accuracy(ctx context.Context, id event.ProjectID) (AccuracyHistory, error) {
	var out AccuracyHistory
	err := c.do(ctx, http.MethodGet, projectPath(id, "/accuracy"), nil, &out)
	return out, err
}

// Shares returns how common labels are among all tasks of a project.
func (c *Client) Shares(ctx context.Context, id event.ProjectID) (Shares, error) {
	var out Shares
	err := c.do(ctx, http.MethodGet, projectPath(id, "/shares"), nil, &out)
	return out, err
}

// Connect registers hone, seen by Label Studio at url, with a project.
func (c *Client) Connect(ctx context.Context, id event.ProjectID, url string) (Report, error) {
	var out Report
	err := c.do(ctx, http.MethodPost, projectPath(id, "/connect"), ConnectRequest{URL: url}, &out)
	return out, err
}

// Login gives the running hone an address of Label Studio and a token; it keeps them if they
// work, as the report says.
func (c *Client) Login(ctx context.Context, url string, token secret.Secret) (rep Report, err error) {
	err = c.do(ctx, http.MethodPost, "/api/login", LoginRequest{url, token.Reveal()}, &rep)
	return rep, err
}

// ConnectPolled has hone poll a project, which Label Studio need not tell it about.
func (c *Client) ConnectPolled(ctx context.Context, id event.ProjectID) (Report, error) {
	var out Report
	err := c.do(ctx, http.MethodPost, projectPath(id, "/connect"), ConnectRequest{Poll: true}, &out)
	return out, err
}

// Disconnect takes hone out of a project in Label Studio, with deletePredictions its
// predictions too.
func (c *Client) Disconnect(ctx context.Context, id event.ProjectID, deletePredictions bool) (Report, error) {
	var out Report
	err := c.do(ctx, http.MethodPost, projectPath(id, "/disconnect"), DisconnectRequest{DeletePredictions: deletePredictions}, &out)
	return out, err
}

// Forget deletes everything that hone holds of a project.
func (c *Client) Forget(ctx context.Context, id event.ProjectID) (Report, error) {
	var out Report
	err := c.do(ctx, http.MethodDelete, projectPath(id, ""), nil, &out)
	return out, err
}

// Retrain asks for a full retrain and returns when hone accepted it.
func (c *Client) Retrain(ctx context.Context, id event.ProjectID) (time.Time, error) {
	return c.ask(ctx, projectPath(id, "/retrain"))
}

// Rebuild asks to read everything of a project anew from Label Studio.
func (c *Client) Rebuild(ctx context.Context, id event.ProjectID) (time.Time, error) {
	return c.ask(ctx, projectPath(id, "/rebuild"))
}

// Prelabel asks for predictions of all tasks that have none beside the queue's.
func (c *Client) Prelabel(ctx context.Context, id event.ProjectID) (time.Time, error) {
	return c.ask(ctx, projectPath(id, "/prelabel"))
}

// Reconcile asks for a comparison of everything with Label Studio.
func (c *Client) Reconcile(ctx context.Context, id event.ProjectID) (time.Time, error) {
	return c.ask(ctx, projectPath(id, "/reconcile"))
}

// Rollback asks to make an earlier version live; to is empty for the one before.
func (c *Client) Rollback(ctx context.Context, id event.ProjectID, to string) (time.Time, error) {
	return c.ask(ctx, projectPath(id, "/rollback?to="+url.QueryEscape(to)))
}

// DeadLetters lists events that could not be handled.
func (c *Client) DeadLetters(ctx context.Context, limit int) ([]DeadLetter, error) {
	var out DeadLetterList
	err := c.do(ctx, http.MethodGet, "/api/deadletters?limit="+strconv.Itoa(limit), nil, &out)
	return out.DeadLetters, err
}

// OnDeadLetters replays ("replay") or deletes ("drop") letters; no ids means
// all. It returns how many.
func (c *Client) OnDeadLetters(ctx context.Context, verb string, ids []uint64) (int, error) {
	var out Count
	err := c.do(ctx, http.MethodPost, "/api/deadletters/"+verb, DeadLetterIDs{ids}, &out)
	return out.Count, err
}

// Doctor runs the checks of one project, or with id 0 of all.
func (c *Client) Doctor(ctx context.Context, id event.ProjectID) (Report, error) {
	var out Report
	path := "/api/doctor"
	if id != 0 {
		path += "?project=" + strconv.FormatInt(int64(id), 10)
	}
	err := c.do(ctx, http.MethodGet, path, nil, &out)
	return out, err
}

// Rotate replaces the secret of Label Studio's calls; the old one counts until every
// registration carries the new one, which Rotation tells.
func (c *Client) Rotate(ctx context.Context) (Rotation, error) {
	var out Rotation
	err := c.do(ctx, http.MethodPost, "/api/secret/rotate", struct{}{}, &out)
	return out, err
}

// SignInLink makes a link that signs somebody in to hone's page.
func (c *Client) SignInLink(ctx context.Context) (SignInLink, error) {
	var out SignInLink
	err := c.do(ctx, http.MethodPost, "/api/sign-in-link", struct{}{}, &out)
	return out, err
}

// Rotation tells how far a new secret has come.
func (c *Client) Rotation(ctx context.Context) (Rotation, error) {
	var out Rotation
	err := c.do(ctx, http.MethodGet, "/api/secret", nil, &out)
	return out, err
}

// Health returns nil when hone answers /health.
func (c *Client) Health(ctx context.Context) error {
	var out map[string]any
	return c.do(ctx, http.MethodGet, "/health", nil, &out)
}

func (c *Client) ask(ctx context.Context, path string) (time.Time, error) {
	var out Accepted
	err := c.do(ctx, http.MethodPost, path, struct{}{}, &out)
	return out.At, err
}

func projectPath(id event.ProjectID, rest string) string {
	return "/api/projects/" + strconv.FormatInt(int64(id), 10) + rest
}

// Backup writes a copy of the running hone's database to w. After an error what
// was written is not a backup.
func (c *Client) Backup(ctx context.Context, w io.Writer) error {
	resp, err := c.send(ctx, http.MethodGet, "/api/backup", nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("the backup broke off: %w; the log of hone at %s may say why", err, c.Base)
	}
	return nil
}

func (c *Client) do(ctx context.Context, method, path string, in, out any) error {
	resp, err := c.send(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("%s answered %s %s with something that is not hone's: %w; is that a hone?", c.Base, method, path, err)
	}
	return nil
}

// send makes a request and returns the answer if it is a success; the caller
// closes its body.
func (c *Client) send(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(c.Base, "/")+path, body)
	if err != nil {
		return nil, err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	hc := c.HTTP
	if hc == nil {
		hc = Direct(nil)
	}
	resp, err := hc.Do(req)
	if err != nil {
		return nil, c.noAnswer(err)
	}
	if resp.StatusCode >= 300 {
		defer func() { _ = resp.Body.Close() }()
		return nil, answerError(resp, c.Base)
	}
	return resp, nil
}

// Direct returns an HTTP client that goes to hone itself: through no proxy, and to
// nobody hone's place redirects to, because a request may carry hone's token. With
// TLS, config says what certificate to expect.
func Direct(config *tls.Config) *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, TLSClientConfig: config},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// noAnswer returns an error that says what to do when hone did not answer.
func (c *Client) noAnswer(err error) error {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w: nothing answers at %s; start it with `hone serve`, or give its address with --listen", ErrNotRunning, c.Base)
	case errors.As(err, &dns), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%w: %s cannot be reached: %w; give hone's address with --listen", ErrNotRunning, c.Base, innermost(err))
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("hone at %s does not answer in time; its log says what it is doing", c.Base)
	}
	return fmt.Errorf("hone at %s broke off: %w; if it was stopped, start it with `hone serve`", c.Base, innermost(err))
}

// innermost returns an error without the request around it, which was named already.
func innermost(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func answerError(resp *http.Response, base string) error {
	var e Error
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if json.Unmarshal(b, &e) == nil && e.Error != "" {
		return errors.New(e.Error)
	}
	if resp.StatusCode == http.StatusUnauthorized {
		return fmt.Errorf("hone at %s wants its admin token: give the right --data-dir, or set HONE_ADMIN_TOKEN", base)
	}
	return fmt.Errorf("%s answered %s; is that a hone?", base, resp.Status)
}

// PredictChoices asks /predict for texts in its bare form and returns the first
// choice for each, "" where hone abstains. The project's texts must be in the
// data field "text".
func (c *Client) PredictChoices(ctx context.Context, p event.ProjectID, texts []string) ([]string, error) {
	type task struct {
		Data map[string]string `json:"data"`
	}
	req := struct {
		Tasks   []task `json:"tasks"`
		Project string `json:"project"`
	}{Project: strconv.FormatInt(int64(p), 10)}
	for _, t := range texts {
		req.Tasks = append(req.Tasks, task{map[string]string{"text": t}})
	}
	var out struct {
		Results []struct {
			Result []struct {
				Value struct {
					Choices []string `json:"choices"`
				} `json:"value"`
			} `json:"result"`
		} `json:"results"`
	}
	if err := c.do(ctx, http.MethodPost, "/predict", req, &out); err != nil {
		return nil, err
	}
	if len(out.Results) != len(texts) {
		return nil, fmt.Errorf("/predict answered %d results for %d texts", len(out.Results), len(texts))
	}
	labels := make([]string, len(texts))
	for i, r := range out.Results {
		for _, region := range r.Result {
			if len(region.Value.Choices) > 0 {
				labels[i] = region.Value.Choices[0]
				break
			}
		}
	}
	return labels, nil
}
