package app

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/internal/logging"
)

// TestConnLimitLeavesFiles: whatever the system allows, connections never take all
// the files that hone may open.
func TestConnLimitLeavesFiles(t *testing.T) {
	for _, tc := range []struct {
		files     uint64
		addresses int
		want      int
	}{
		{0, 1, maxConns},
		{1 << 63, 1, maxConns},
		{1 << 20, 2, maxConns},
		{4096, 1, maxConns},
		{1024, 1, 384},
		{1024, 2, 192},
		{256, 1, 96},
		{10, 1, minConns},
	} {
		got := connLimit(tc.files, tc.addresses)
		assert.Equal(t, tc.want, got, "%d files, %d addresses", tc.files, tc.addresses)
		if tc.files >= 128 {
			assert.LessOrEqual(t, uint64(2*got*tc.addresses), tc.files*3/4, "%d files", tc.files)
		}
	}
}

// What net/http has to say of strangers goes through hone's log, and is not worth
// more than a line of debugging.
func TestConnectionErrorsGoToTheLog(t *testing.T) {
	for level, want := range map[string]bool{"debug": true, "info": false} {
		t.Run(level, func(t *testing.T) {
			var out lockedBuffer
			logger, err := logging.New(&out, level, "text", "the-secret")
			require.NoError(t, err)
			l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed below
			require.NoError(t, err)
			p := &port{Listener: l}
			p.prepare(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("the-secret is in " + strings.Repeat("x", 1000)) }),
				nil, 10, logrus.NewEntry(logger))
			done := make(chan error, 1)
			go func() { done <- p.serve() }()
			conn, err := net.Dial("tcp", l.Addr().String()) //nolint:noctx // closed below
			require.NoError(t, err)
			_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			require.NoError(t, err)
			require.NoError(t, conn.SetReadDeadline(time.Now().Add(2*time.Minute)))
			_, _ = io.Copy(io.Discard, conn)
			_ = conn.Close()
			require.NoError(t, p.server.Close())
			require.NoError(t, <-done)
			assert.Equal(t, want, strings.Contains(out.String(), "panic serving"), out.String())
			assert.NotContains(t, out.String(), "the-secret")
			assert.Less(t, len(bytes.TrimSpace([]byte(out.String()))), 600)
		})
	}
}

// lockedBuffer is a buffer that goroutines may share.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
