package webhook

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"
)

// maxKeptBuffer is the size in bytes of the largest buffer that is kept for reuse.
const maxKeptBuffer = 1 << 20

var bufferPool = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func releaseBuffer(b *bytes.Buffer) {
	if b.Cap() <= maxKeptBuffer {
		b.Reset()
		bufferPool.Put(b)
	}
}

// readJSON reads a body that claims to be JSON and holds at most limit bytes.
// Pass the buffer to releaseBuffer once nothing refers to it.
func readJSON(c *gin.Context, limit int64) (*bytes.Buffer, *refusal) {
	r := c.Request
	if f := checkType(r); f != nil {
		return nil, f
	}
	tooLarge := &refusal{http.StatusRequestEntityTooLarge, refusedTooLarge, fmt.Sprintf("the body is larger than the limit of %d bytes", limit)}
	if r.ContentLength > limit {
		drainBody(r, max(limit, unsignedBytes*8))
		return nil, tooLarge
	}
	b, _ := bufferPool.Get().(*bytes.Buffer)
	if r.ContentLength > 0 {
		// Room for what ReadFrom wants at the end, but a promise of a large body
		// is not believed before it comes.
		b.Grow(int(min(r.ContentLength, maxKeptBuffer)) + bytes.MinRead)
	}
	if _, err := b.ReadFrom(http.MaxBytesReader(c.Writer, r.Body, limit)); err != nil {
		releaseBuffer(b)
		if tooMuch := (*http.MaxBytesError)(nil); errors.As(err, &tooMuch) {
			drainBody(r, max(limit, unsignedBytes*8))
			return nil, tooLarge
		}
		return nil, &refusal{http.StatusBadRequest, refusedCut, "the body ended before its announced length, or could not be read"}
	}
	return b, nil
}

// checkType refuses bodies that are not declared JSON. A web page can make a
// browser send any other kind to hone behind its user's back.
func checkType(r *http.Request) *refusal {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || (kind != jsonType && !strings.HasSuffix(kind, "+json")) {
		return &refusal{http.StatusUnsupportedMediaType, refusedContentType, "the body must be JSON: send the header Content-Type: application/json"}
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return &refusal{http.StatusUnsupportedMediaType, refusedContentType, "the body must not be compressed"}
	}
	return nil
}
