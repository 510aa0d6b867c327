package webhook

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

const (
	jsonType = "application/json"
	// statusLineTimeout bounds the write of an error, which fits any socket's buffer.
	statusLineTimeout = 5 * time.Second
)

// refusal says why a request is refused: a status, a sentence for the caller and a label for
// the metric. It quotes nothing of the body.
type refusal struct {
	status   int
	reason   string
	sentence string
}

func errorBody(sentence string) []byte {
	b, err := json.Marshal(struct {
		Error string `json:"error"`
	}{sentence})
	if err != nil { // a string always encodes
		return []byte(`{"error":"unknown"}`)
	}
	return b
}

// failInBody answers with a sentence in the body.
func failInBody(c *gin.Context, status int, sentence string) {
	c.Data(status, jsonType, errorBody(sentence))
}

// failInStatusLine answers with the sentence in the body and in the status line: of an
// error, Label Studio shows its users the status line only. That needs HTTP/1 and a body
// that was read to its end; otherwise it does what failInBody does.
func failInStatusLine(c *gin.Context, status int, sentence string) {
	w, ok := c.Writer.(interface{ Unwrap() http.ResponseWriter })
	if !ok || c.Request.ProtoMajor != 1 || c.Request.Method == http.MethodHead {
		failInBody(c, status, sentence)
		return
	}
	if _, ok := w.Unwrap().(http.Hijacker); !ok {
		failInBody(c, status, sentence)
		return
	}
	c.Status(status)
	conn, buf, err := c.Writer.Hijack()
	if err != nil {
		failInBody(c, status, sentence)
		return
	}
	defer conn.Close()
	_ = conn.SetWriteDeadline(time.Now().Add(statusLineTimeout)) // the server's own ended with the hijacking
	body := errorBody(sentence)
	h := c.Writer.Header().Clone()
	h.Set("Content-Type", jsonType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Connection", "close")
	fmt.Fprintf(buf, "HTTP/1.1 %d %s\r\n", status, reasonPhrase(sentence))
	_ = h.Write(buf) // an error stays in buf and comes back from Flush
	fmt.Fprint(buf, "\r\n")
	_, _ = buf.Write(body)
	_ = buf.Flush() // nobody is left to tell
}

// reasonPhrase makes a sentence fit for a status line: printable ASCII of bounded length.
// Other characters could end the line early or reach the user garbled. Label Studio shows
// it as HTML, where <Choices> would be invisible.
func reasonPhrase(sentence string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r < ' ' || r == 0x7f:
			return -1
		case r > '~':
			return '?'
		case r == '<':
			return '['
		case r == '>':
			return ']'
		}
		return r
	}, shortenTo(sentence, 600))
}

// shortenTo shortens s to at most n bytes.
func shortenTo(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "..."
}

// drainBody reads up to n bytes of what is left of a body, and keeps none of it. A
// client that is still sending when its connection closes may never see the
// answer.
func drainBody(r *http.Request, n int64) {
	if r.Header.Get("Expect") == "" { // else it has not sent anything yet
		_, _ = io.CopyN(io.Discard, r.Body, n)
	}
}
