package labelstudio

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/internal/secret"
)

func TestScrub(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"for url: http://u:SECRET@h:9090/x, and https://SECRET@h", "for url: http://h:9090/x, and https://h"},
		{"http://u:SEC@RET@h/x", "http://h/x"},
		{"http://u:SEC/RET@h", "http://h"},
		{"http://u:12/SECRET?@h#@x", "http://u:12/SECRET?@h#@x"}, // a port, and so a path
		{"http://u:12SECRET/?@h", "http://h"},
		{"see http://h:9090/a and b@c, http://h/d@e", "see http://h:9090/a and b@c, http://h/d@e"},
		{"<a href=\"https://labelstud.io/guide/ml.html\">x</a> a@b", "<a href=\"https://labelstud.io/guide/ml.html\">x</a> a@b"},
		{"", ""},
	} {
		require.Equal(t, tt.want, removeSecrets(tt.text), tt.text)
	}
	require.Equal(t, "[redacted] and [redacted], an on", removeSecrets("SECRETlong and SECRET, an on", "SECRET", "SECRETlong", "an"))
}

// Label Studio quotes the addresses it was given, in what it answers and in what
// it keeps; none of that may carry their passwords on.
func TestErrorsHoldNoUserInfo(t *testing.T) {
	status := http.StatusBadRequest
	c, _ := testClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		_ = json.NewDecoder(r.Body).Decode(&body)
		said := strings.Repeat("long ", 70) + fmt.Sprintf("Can't connect to %v; headers %v; auth %v", body["url"], body["headers"], body["basic_auth_pass"])
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"error_message": said, "url": body["url"], "validation_errors": map[string]any{"url": []string{said}}})
	}))
	for _, address := range []string{
		"http://hone:theSECRET@hone:9090", "http://hone:the/SECRET@hone", "http://hone:the SECRET@hone", "http://hone:the%2FSECRET@hone/",
		"hone:theSECRET@hone:9090", "http://theSECRET@hone", "http://hone:theSECRET@[::1]:1",
	} {
		b := BackendWrite{Project: 3, URL: address, User: "u", Password: "otherSECRET"}
		w := Webhook{Project: 3, ID: 4, URL: address, Headers: map[string]secret.Secret{"X-Hone": "thirdSECRET"}}
		_, add := c.AddBackend(t.Context(), b)
		_, patch := c.PatchBackend(t.Context(), 4, b)
		_, create := c.CreateWebhook(t.Context(), w)
		_, update := c.UpdateWebhook(t.Context(), w)
		for _, err := range []error{add, patch, create, update} {
			require.ErrorContains(t, err, "Can't connect to")
			var e *APIError
			require.ErrorAs(t, err, &e)
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, *e, *e), "SECRET")
		}
		require.ErrorContains(t, add, "add ML backend "+WithoutUserInfo(address)+" to project 3")
	}

	status = http.StatusOK
	b, err := c.PatchBackend(t.Context(), 4, BackendWrite{Project: 3, URL: "http://hone:theSECRET@hone:9090"})
	require.NoError(t, err)
	require.Equal(t, "http://hone:theSECRET@hone:9090", b.URL)
	require.Contains(t, b.Error, "Can't connect to http://hone:9090")

	for _, bad := range []string{"hone:SECRET@host", "hone:SECRET@host:8080", "http:/hone:SECRET@host", "http://hone:SECRET/x@host"} {
		_, err := NewClient(Options{URL: bad})
		require.Error(t, err)
		require.NotContains(t, err.Error(), "SECRET")
	}
}

// Where a redirect leads is quoted in errors and in the log too.
func TestRedirectsHoldNoUserInfo(t *testing.T) {
	logged := new(strings.Builder)
	logger := logrus.New()
	logger.SetOutput(logged)
	logger.SetLevel(logrus.TraceLevel)
	var target string
	c, _ := testClient(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", target)
		w.WriteHeader(http.StatusFound)
	}), func(o *Options) { o.Logger = logrus.NewEntry(logger) })
	for _, target = range []string{"http://hone:SECRET@elsewhere.example/", "http://hone:SECRET@else where/", "http://hone:SEC RET@elsewhere/", "http://hone:SECRET/@elsewhere"} {
		_, err := c.WhoAmI(t.Context())
		require.ErrorContains(t, err, "redirects to a")
		require.False(t, Retryable(err))
		require.NotContains(t, err.Error()+logged.String(), "SEC", target)
	}
}

func TestPrintingHoldsNoUserInfo(t *testing.T) {
	const address = "http://hone:theSECRET@hone.internal:9090/webhook"
	w := Webhook{ID: 7, URL: address, Actions: []string{"TASKS_CREATED"}, Headers: map[string]secret.Secret{"X": "theSECRET"}}
	b := Backend{ID: 7, URL: address, Title: "hone", Error: "500 for url: " + address}
	add := BackendWrite{Project: 7, URL: address, Title: "hone", Password: "theSECRET"}
	for _, v := range []any{w, &w, []Webhook{w}, b, &b, []*Backend{&b}, struct{ B Backend }{b}, add, &add, map[int]BackendWrite{1: add}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X"} {
			printed := fmt.Sprintf(verb, v)
			for _, form := range []string{"SECRET", fmt.Sprintf("%x", "SECRET"), fmt.Sprintf("%X", "SECRET")} {
				require.NotContains(t, printed, form, "%s of %T", verb, v)
			}
		}
	}
	require.Contains(t, fmt.Sprintf("%+v", w), "URL:http://hone.internal:9090/webhook")
	require.Contains(t, fmt.Sprint(b), "http://hone.internal:9090/webhook hone")
	require.Contains(t, fmt.Sprintf("%s", add), "Title:hone")

	// What is encoded stays what Label Studio has.
	for _, v := range []any{w, b, add} {
		encoded, err := json.Marshal(v)
		require.NoError(t, err)
		require.Contains(t, string(encoded), `"url":"`+address+`"`)
	}
}
