package page

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/event"
)

// part is a piece of a page that changes while the page is open.
type part struct {
	name string // of the event, and of the template
	html []byte
	// since is the frame in which it became what it is.
	since uint64
}

// viewKey is a page, as one kind of reader sees it. project is 0 for the overview.
type viewKey struct {
	project event.ProjectID
	changer bool
}

// cachedParts are a view's parts as of one frame.
type cachedParts struct {
	mu     sync.Mutex
	frame  uint64
	parts  []part
	detail *detail
	err    error
}

// partCache holds the parts of the views that were looked at. All pages of a view share them.
type partCache struct {
	mu sync.Mutex
	of map[viewKey]*cachedParts
}

// maxViews bounds the views that are kept.
const maxViews = 200

func (c *partCache) view(key viewKey) *cachedParts {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v := c.of[key]; v != nil {
		return v
	}
	if len(c.of) >= maxViews {
		clear(c.of)
	}
	v := &cachedParts{}
	c.of[key] = v
	return v
}

// partsOf returns the parts of a view in a frame.
func (s *Server) partsOf(key viewKey, f *frame) ([]part, error) {
	v := s.parts.view(key)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.frame >= f.number && (v.parts != nil || v.err != nil) {
		return v.parts, v.err
	}
	before := v.parts
	v.frame = f.number
	if key.project == 0 {
		v.parts, v.err = s.overviewParts(f)
	} else {
		v.parts, v.detail, v.err = s.projectParts(key, f, v.detail)
	}
	for i := range v.parts {
		v.parts[i].since = f.number
		for _, b := range before {
			if b.name == v.parts[i].name && bytes.Equal(b.html, v.parts[i].html) {
				v.parts[i].since = b.since
			}
		}
	}
	return v.parts, v.err
}

// keepAlive is the pause after which a comment is sent, so that proxies keep a quiet stream.
const keepAlive = 15 * time.Second

// events sends the parts of a page as they change, from the frame on that the page was made of.
func (s *Server) events(c *gin.Context) {
	id, _ := strconv.ParseInt(c.Query("project"), 10, 64)
	since, _ := strconv.ParseUint(c.Query("since"), 10, 64)
	if last, err := strconv.ParseUint(c.GetHeader("Last-Event-ID"), 10, 64); err == nil {
		since = last
	}
	token := []byte(s.o.Sessions.FormToken(c.Request))
	key := viewKey{project: event.ProjectID(id), changer: s.o.Admits(c.Request, access.Admin)}
	h := c.Writer.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	c.Status(http.StatusOK)
	control := http.NewResponseController(c.Writer)
	if err := control.Flush(); err != nil { // the browser waits for the head
		return
	}
	tick := time.NewTicker(frameTime)
	defer tick.Stop()
	quiet := time.Duration(0)
	for {
		f := s.frames.get()
		var out bytes.Buffer
		if since > f.number { // of before hone was started again
			since = 0
		}
		parts, err := s.partsOf(key, f)
		for _, p := range parts {
			if p.since > since {
				writeEvent(&out, f.number, p.name, bytes.ReplaceAll(p.html, []byte(s.placeholder), token))
			}
		}
		if err == nil {
			since = f.number
		}
		if quiet += frameTime; out.Len() == 0 && quiet >= keepAlive {
			out.WriteString(": still here\n\n")
		}
		if out.Len() > 0 {
			quiet = 0
			_ = control.SetWriteDeadline(time.Now().Add(2 * keepAlive))
			if _, err := c.Writer.Write(out.Bytes()); err != nil {
				return
			}
			if err := control.Flush(); err != nil {
				return
			}
		}
		select {
		case <-c.Request.Context().Done():
			return
		case <-s.o.Done:
			return
		case <-tick.C:
		}
		if !s.o.Admits(c.Request, access.View) { // the session has ended
			return
		}
	}
}

// writeEvent writes a part as an event; each line of its HTML is a line of data.
func writeEvent(out *bytes.Buffer, frame uint64, name string, html []byte) {
	fmt.Fprintf(out, "event: %s\nid: %d\n", name, frame)
	for line := range bytes.Lines(html) {
		out.WriteString("data: ")
		out.Write(bytes.TrimRight(line, "\r\n"))
		out.WriteByte('\n')
	}
	out.WriteByte('\n')
}
