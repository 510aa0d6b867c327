package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hone-ml/hone/internal/backoff"
)

// maxAttempts bounds how often a message is tried; problems may change meanwhile.
const maxAttempts = 5

func (n *Notifier) sendAll(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.wake:
		}
		if !backoff.Sleep(ctx, n.o.Gather) {
			return
		}
		alerts, dropped := n.take()
		if len(alerts) == 0 {
			continue // they were over before anybody was told
		}
		n.send(ctx, alerts, dropped)
		if !backoff.Sleep(ctx, n.o.Spacing) {
			return
		}
	}
}

// message is the body. Slack, Mattermost, Teams, Google Chat and others show "text" and
// ignore the rest, which is for programs.
type message struct {
	Text string `json:"text"`
	// The fields of the first alert.
	Alert
	// Alerts are all of the message.
	Alerts []Alert `json:"alerts"`
}

func messageOf(alerts []Alert, dropped int) message {
	lines := make([]string, 0, len(alerts)+1)
	for _, a := range alerts {
		line := fmt.Sprintf("hone, project %d: %s", a.Project, a.Problem)
		switch {
		case a.State == Gone:
			line = fmt.Sprintf("hone, project %d: mended, it is no longer so: %s", a.Project, a.Problem)
		case a.Fix != "":
			line += " (fix: " + a.Fix + ")"
		}
		lines = append(lines, line)
	}
	if dropped > 0 {
		lines = append(lines, fmt.Sprintf("and %d more: see `hone status`", dropped))
	}
	return message{Text: strings.Join(lines, "\n"), Alert: alerts[0], Alerts: alerts}
}

// send sends a message and tries again while that may help. The log tells when it was given
// up, and never the address.
func (n *Notifier) send(ctx context.Context, alerts []Alert, dropped int) {
	body, err := json.Marshal(messageOf(alerts, dropped))
	if err != nil {
		n.o.Logger.WithError(err).Error("a notification could not be written")
		return
	}
	pauses := backoff.Exponential{Min: n.o.MinRetry, Max: n.o.MaxRetry}
	for attempt := range maxAttempts {
		pause, again, failure := n.post(ctx, body)
		switch {
		case failure == nil:
			return
		case ctx.Err() != nil:
			return
		case !again || attempt == maxAttempts-1:
			n.o.Logger.WithError(failure).Warnf("notify.url did not take a notification of %d problems; `hone status` has them", len(alerts))
			return
		}
		if !backoff.Sleep(ctx, min(max(pause, pauses.Delay(attempt)), n.o.MaxRetry)) {
			return
		}
	}
}

// post makes one attempt. again is true when another may succeed, after a pause that the
// answer may ask for.
func (n *Notifier) post(ctx context.Context, body []byte) (pause time.Duration, again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, n.o.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.o.URL.Reveal(), bytes.NewReader(body))
	if err != nil {
		return 0, false, errors.New("it is not an address")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "hone")
	res, err := n.o.Client.Do(req)
	if err != nil {
		return 0, true, withoutAddress(err)
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10)
	if res.StatusCode >= 200 && res.StatusCode < 300 {
		return 0, false, nil
	}
	pause, _ = backoff.RetryAfter(res.Header, time.Now())
	again = res.StatusCode == http.StatusTooManyRequests || res.StatusCode == http.StatusRequestTimeout || res.StatusCode >= 500
	return pause, again, fmt.Errorf("it answered %s", res.Status)
}

// withoutAddress returns an error of the client without the URL, which carries a token.
func withoutAddress(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return errors.New("it could not be reached")
}
