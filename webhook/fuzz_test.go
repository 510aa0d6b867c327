package webhook

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// Foreign bytes never make hone fail: no panic, no 5xx, always JSON, and what
// is stored can be read back.
func FuzzWebhook(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.json"))
	if err != nil || len(files) == 0 {
		f.Fatalf("no recorded requests: %v", err)
	}
	paths := []string{"/webhook", "/predict", "/setup", "/train"}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		for i := range paths {
			f.Add(byte(i), []byte(recorded(f, name)))
		}
	}
	for _, s := range []string{"", "null", "{}", `{"action":"ANNOTATION_CREATED","annotation":[null],"task":null,"project":3}`, `{"action":"` + "\xff" + `"}`} {
		f.Add(byte(0), []byte(s))
	}
	r := newRig(f, withSecret)
	f.Fuzz(func(t *testing.T, path byte, body []byte) {
		for _, secret := range []string{"", "s3cret"} {
			req := httptest.NewRequest(http.MethodPost, paths[int(path)%len(paths)], strings.NewReader(string(body)))
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("X-Hone-Secret", secret)
			w := httptest.NewRecorder()
			r.engine.ServeHTTP(w, req)
			if w.Code >= 500 || !json.Valid(w.Body.Bytes()) {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
		}
		r.memory.events(t)
		r.memory.mu.Lock()
		r.memory.stored = nil
		r.memory.mu.Unlock()
	})
}
