package bert

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// folderFiles returns a copy of the files of a folder, to be changed.
func folderFiles(t testing.TB, name string) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	root := os.DirFS(filepath.Join("testdata", name))
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(root, path)
		files[path] = &fstest.MapFile{Data: b, Mode: 0o600}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func edit(t testing.TB, files fstest.MapFS, name, old, text string) {
	t.Helper()
	before := string(files[name].Data)
	after := strings.Replace(before, old, text, 1)
	if after == before {
		t.Fatalf("%s: nothing to replace: %s", name, old)
	}
	files[name].Data = []byte(after)
}

// setNumber changes a number of a tensor of a file of float32.
func setNumber(t testing.TB, files fstest.MapFS, tensor string, i int, v float32) {
	t.Helper()
	b := files[weightsFile].Data
	n := binary.LittleEndian.Uint64(b)
	var header map[string]json.RawMessage
	if err := json.Unmarshal(b[8:8+n], &header); err != nil {
		t.Fatal(err)
	}
	var entry struct {
		Offsets [2]int `json:"data_offsets"`
	}
	if err := json.Unmarshal(header[tensor], &entry); err != nil {
		t.Fatal(fmt.Errorf("%s: %w", tensor, err))
	}
	binary.LittleEndian.PutUint32(b[8+int(n)+entry.Offsets[0]+4*i:], math.Float32bits(v))
}
