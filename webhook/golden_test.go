package webhook

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/hone-ml/hone/internal/golden"
)

// What is answered to what a real Label Studio sent, byte for byte, and what goes into
// the log.
func TestGoldenAnswers(t *testing.T) {
	files, err := filepath.Glob("testdata/*-*.json")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d recordings, %v", len(files), err)
	}
	paths := map[string]string{"backend-health": "/health", "backend-predict": "/predict", "backend-setup": "/setup", "backend-start": "/webhook", "webhook-": "/webhook"}
	synctest.Test(t, func(t *testing.T) { // the log's times are the bubble's
		var out strings.Builder
		record := func(name, method, path, body string) {
			r := newRig(t)
			w := r.direct(method, path, body)
			fmt.Fprintf(&out, "%s: %s %s\n  %d %s %s\n", name, method, path, w.Code, w.Header().Get("Content-Type"), w.Body)
			for _, b := range r.memory.stored {
				fmt.Fprintf(&out, "  log %s\n", b)
			}
		}
		for _, file := range files {
			name := strings.TrimSuffix(filepath.Base(file), ".json")
			for front, path := range paths {
				if !strings.HasPrefix(name, front) {
					continue
				}
				if path == "/health" {
					record(name, http.MethodGet, path, "")
				} else {
					record(name, http.MethodPost, path, recorded(t, name))
				}
			}
		}
		record("by hand", http.MethodPost, "/predict", `{"project":"3","tasks":[{"data":{"text":"a"}},{"data":{"text":""}}]}`)
		record("without a project", http.MethodPost, "/predict", `{"tasks":[{"data":{"text":"a"}}]}`)
		record("no body", http.MethodPost, "/predict", ``)
		record("unknown action", http.MethodPost, "/webhook", `{"action":"NEW_ACTION","project":{"id":3}}`)
		record("training", http.MethodPost, "/train", `{"project":"3.1"}`)
		record("health", http.MethodGet, "/", ``)
		record("versions", http.MethodGet, "/versions?project=3", ``)
		record("elsewhere", http.MethodGet, "/elsewhere", ``)
		golden.Check(t, "golden/answers.txt", []byte(out.String()))
	})
}
