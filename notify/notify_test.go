package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/secret"
	"github.com/hone-ml/hone/internal/service"
	"github.com/hone-ml/hone/internal/service/servicetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "T0KEN-of-the-hook"

// chat is an incoming webhook. answers are the statuses of its first answers, then 200.
type chat struct {
	*httptest.Server
	posts   chan map[string]any
	mu      sync.Mutex
	answers []int
	log     strings.Builder
}

func (c *chat) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.log.Write(p)
}

func (c *chat) said() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.log.String()
}

func newChat(t *testing.T, answers ...int) *chat {
	t.Helper()
	c := &chat{posts: make(chan map[string]any, 100), answers: answers}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var got map[string]any
		if r.Method != http.MethodPost || r.URL.Path != "/services/"+token || json.NewDecoder(r.Body).Decode(&got) != nil {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		c.mu.Lock()
		status := http.StatusOK
		if len(c.answers) > 0 {
			status, c.answers = c.answers[0], c.answers[1:]
		}
		c.mu.Unlock()
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		c.posts <- got
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *chat) notifier(t *testing.T, change func(*Options)) *Notifier {
	t.Helper()
	logger := logrus.New()
	logger.SetOutput(c)
	o := Options{
		URL: secret.Secret(c.URL + "/services/" + token), Logger: logrus.NewEntry(logger),
		Gather: 10 * time.Millisecond, Spacing: time.Millisecond, MinRetry: time.Millisecond, MaxRetry: 5 * time.Millisecond,
	}
	if change != nil {
		change(&o)
	}
	n, err := New(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.Stop(context.Background())) })
	return n
}

func alert(p int, state State) Alert {
	return Alert{Project: event.ProjectID(p), Problem: fmt.Sprintf("problem %d", p), Fix: "mend it", State: state}
}

func (c *chat) next(t *testing.T) map[string]any {
	t.Helper()
	select {
	case got := <-c.posts:
		return got
	case <-time.After(30 * time.Second):
		t.Fatal("nothing was sent")
		return nil
	}
}

func TestMessageHasWhatChatsAndProgramsRead(t *testing.T) {
	c := newChat(t)
	n := c.notifier(t, nil)
	require.NoError(t, n.Start(t.Context()))
	n.Enqueue(alert(3, Appeared))
	got := c.next(t)
	assert.Equal(t, "hone, project 3: problem 3 (fix: mend it)", got["text"])
	assert.Equal(t, []any{"problem 3", "mend it", "appeared", 3.0}, []any{got["problem"], got["fix"], got["state"], got["project"]})
	n.Enqueue(alert(3, Gone))
	got = c.next(t)
	assert.Equal(t, "hone, project 3: mended, it is no longer so: problem 3", got["text"])
	assert.Equal(t, "gone", got["state"])
}

func TestAlertsGoTogether(t *testing.T) {
	c := newChat(t)
	n := c.notifier(t, nil)
	for i := range 50 {
		n.Enqueue(alert(i, Appeared))
	}
	n.Enqueue(alert(7, Gone)) // over before anybody was told
	require.NoError(t, n.Start(t.Context()))
	got := c.next(t)
	assert.Len(t, got["alerts"], 49)
	assert.Equal(t, 48, strings.Count(got["text"].(string), "\n"))
	assert.NotContains(t, got["text"], "problem 7 ")
	assert.Empty(t, c.posts)
}

func TestTheQueueIsBounded(t *testing.T) {
	c := newChat(t)
	n := c.notifier(t, nil)
	for i := range maxWaiting + 5 {
		n.Enqueue(alert(i, Appeared))
	}
	require.NoError(t, n.Start(t.Context()))
	got := c.next(t)
	assert.Len(t, got["alerts"], maxWaiting)
	assert.Contains(t, got["text"], "and 5 more")
}

func TestItIsTriedAgainAndGivenUp(t *testing.T) {
	for name, tc := range map[string]struct {
		answers []int
		posts   int
		warns   bool
	}{
		"works the third time":    {[]int{500, 429}, 3, false},
		"fails for good":          {[]int{500, 500, 500, 500, 500, 500}, maxAttempts, true},
		"is refused":              {[]int{404}, 1, true},
		"points somewhere else":   {[]int{302}, 1, true},
		"is answered without end": {nil, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := newChat(t, tc.answers...)
			n := c.notifier(t, nil)
			require.NoError(t, n.Start(t.Context()))
			n.Enqueue(alert(1, Appeared))
			for range tc.posts {
				c.next(t)
			}
			if tc.warns {
				require.Eventually(t, func() bool { return strings.Contains(c.said(), "did not take a notification") }, 30*time.Second, time.Millisecond)
			}
			c.mu.Lock()
			c.answers = nil
			c.mu.Unlock()
			n.Enqueue(alert(2, Appeared)) // the next one goes on
			assert.Equal(t, 2.0, c.next(t)["project"])
			assert.NotContains(t, c.said(), token)
		})
	}
}

// The log never has the address: it carries the hook's token.
func TestTheAddressIsNotLogged(t *testing.T) {
	c := newChat(t)
	n := c.notifier(t, nil)
	c.Close() // nobody listens
	require.NoError(t, n.Start(t.Context()))
	n.Enqueue(alert(1, Appeared))
	require.Eventually(t, func() bool { return strings.Contains(c.said(), "did not take a notification") }, 30*time.Second, time.Millisecond)
	assert.NotContains(t, c.said(), token)
	_, err := New(Options{URL: secret.Secret("ftp://" + token)})
	require.Error(t, err)
	assert.NotContains(t, err.Error(), token)
}

// Whoever tells never waits for the chat.
func TestEnqueueDoesNotWait(t *testing.T) {
	c := newChat(t)
	hang := make(chan struct{})
	n := c.notifier(t, func(o *Options) {
		o.Client = NewClient(roundTrip(func(r *http.Request) (*http.Response, error) {
			close(hang)
			<-r.Context().Done()
			return nil, r.Context().Err()
		}))
	})
	require.NoError(t, n.Start(t.Context()))
	n.Enqueue(alert(1, Appeared))
	<-hang
	for i := range 10_000 {
		n.Enqueue(alert(i, Appeared))
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestStartAndStopInAnyOrder(t *testing.T) {
	servicetest.Stress(t, func(t *testing.T) service.Service {
		n, err := New(Options{URL: "http://127.0.0.1:1/", Gather: time.Hour})
		require.NoError(t, err)
		n.Enqueue(alert(1, Appeared))
		return n
	})
}
