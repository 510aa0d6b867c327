package model2vec

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hone-ml/hone/encode"
)

var _ encode.Embedder = (*Encoder)(nil)

var folders = []string{"uncased", "cased", "unigram", "words"}

func open(t testing.TB, name string) *Encoder {
	t.Helper()
	e, err := Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestGolden compares with the reference (tools/model2vec): the same tokens, and
// vectors in the same direction.
func TestGolden(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("testdata", "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Folders map[string][]struct {
			Text   string
			Tokens []int32
			Vector []float64
		}
	}
	if err := json.Unmarshal(b, &golden); err != nil {
		t.Fatal(err)
	}
	for _, name := range folders {
		t.Run(name, func(t *testing.T) {
			e := open(t, name)
			if len(golden.Folders[name]) < 20 {
				t.Fatalf("%d golden texts", len(golden.Folders[name]))
			}
			for _, g := range golden.Folders[name] {
				ids := []int32{}
				for _, id := range e.tokens.Append(nil, g.Text, e.length) {
					if id != e.tokens.Unknown() && len(ids) < 20 {
						ids = append(ids, id)
					}
				}
				if d := cmp.Diff(g.Tokens, ids); d != "" {
					t.Errorf("%.40q: tokens (-want +got)\n%s", g.Text, d)
					continue
				}
				var dot, norm2 float64
				v := e.Encode(nil, g.Text)
				for i, x := range g.Vector {
					norm2 += x * x
					if len(v) > 0 {
						dot += x * float64(v[i])
					}
				}
				if norm2 == 0 {
					if len(v) > 0 {
						t.Errorf("%.40q has a vector, and none in the reference", g.Text)
					}
				} else if cosine := dot / math.Sqrt(norm2); !(cosine > 0.99999) {
					t.Errorf("%.40q: cosine %.6f", g.Text, cosine)
				}
			}
		})
	}
}

func TestNameIsOfTheContent(t *testing.T) {
	names := map[string]bool{}
	for _, f := range folders {
		e := open(t, f)
		if e.Dim() != 8 || e.Name() != open(t, f).Name() {
			t.Errorf("%s: %d dimensions, name %q", f, e.Dim(), e.Name())
		}
		names[e.Name()] = true
	}
	if len(names) != len(folders) {
		t.Errorf("names %v", names)
	}
}

func TestInParallelAndReused(t *testing.T) {
	for _, f := range folders {
		e := open(t, f)
		want := e.Encode(nil, "my card has not arrived")
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				dst := make([]float32, 3, 100)
				for range 100 {
					e.Encode(nil, "what is the exchange rate")
					if dst = e.Encode(dst, "my card has not arrived"); !cmp.Equal(want, dst) {
						t.Error("encodings mix")
						return
					}
				}
			})
		}
		wg.Wait()
	}
}

// change makes a copy of a folder with one file changed.
func change(t *testing.T, folder, file string, edit func([]byte) []byte) string {
	dir := t.TempDir()
	for _, name := range []string{"config.json", "tokenizer.json", "model.safetensors"} {
		b, err := os.ReadFile(filepath.Join("testdata", folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if name == file {
			if b = edit(b); b == nil {
				continue
			}
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestErrorsNameWhatIsNotSupported(t *testing.T) {
	replace := func(old, text string) func([]byte) []byte {
		return func(b []byte) []byte {
			out := strings.Replace(string(b), old, text, 1)
			if out == string(b) {
				t.Fatalf("nothing to replace: %s", old)
			}
			return []byte(out)
		}
	}
	tensors := func(header string, n int) func([]byte) []byte {
		return func([]byte) []byte {
			b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
			return append(append(b, header...), make([]byte, n)...)
		}
	}
	gone := func([]byte) []byte { return nil }
	for _, c := range []struct {
		folder, file string
		edit         func([]byte) []byte
		want         string
	}{
		{"uncased", "config.json", gone, "config.json"},
		{"uncased", "model.safetensors", gone, "model.safetensors"},
		{"uncased", "config.json", replace(`512`, `"long"`), "max_length"},
		{"uncased", "tokenizer.json", replace(`"WordPiece"`, `"BPE"`), `"BPE" are not supported`},
		{"uncased", "tokenizer.json", replace(`"BertPreTokenizer"`, `"ByteLevel"`), `pre_tokenizer: the type "ByteLevel" is not supported`},
		{"uncased", "tokenizer.json", replace(`"special":true`, `"special":false`), "[PAD]"},
		{"words", "tokenizer.json", replace(`"NFKC"`, `"Nmt"`), `normalizer: the type "Nmt" is not supported`},
		{"unigram", "tokenizer.json", replace(`\\s+`, `(?=x)`), "(?=x)"},
		{"unigram", "tokenizer.json", replace(`"byte_fallback":false`, `"byte_fallback":true`), "byte_fallback"},
		{"uncased", "model.safetensors", tensors(`{"embeddings":{"dtype":"U8","shape":[2,2],"data_offsets":[0,4]}}`, 4), "U8"},
		{"uncased", "model.safetensors", tensors(`{"embeddings":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}}`, 4), "1 vectors for the"},
		{"uncased", "model.safetensors", tensors(`{"embeddings":{"dtype":"F32","shape":[4611686018427387904,8],"data_offsets":[0,4]}}`, 4), "larger than"},
		{"uncased", "model.safetensors", tensors(`{"embeddings":{"dtype":"F32","shape":[1,1],"data_offsets":[0,400]}}`, 4), "of 4 bytes"},
		{"uncased", "model.safetensors", tensors(`{"other":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4), `no tensor "embeddings"`},
		{"uncased", "model.safetensors", func(b []byte) []byte { return b[:7] }, "too short"},
		{"uncased", "model.safetensors", func([]byte) []byte { return []byte("\xff\xff\xff\xff\xff\xff\xff\x7f{}") }, "longer than the file"},
	} {
		_, err := Open(change(t, c.folder, c.file, c.edit))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s with another %s: %v; want %q", c.folder, c.file, err, c.want)
		}
	}
}

func FuzzOpen(f *testing.F) {
	for _, name := range folders {
		var files [3][]byte
		for i, file := range []string{"config.json", "tokenizer.json", "model.safetensors"} {
			b, err := os.ReadFile(filepath.Join("testdata", name, file))
			if err != nil {
				f.Fatal(err)
			}
			files[i] = b
		}
		f.Add(files[0], files[1], files[2], "my card ﬁ 卡")
	}
	f.Fuzz(func(t *testing.T, config, tokens, tensors []byte, text string) {
		e, err := parseFiles(config, tokens, tensors)
		if err != nil {
			return
		}
		v := e.Encode(nil, text)
		var squares float64
		for _, x := range v {
			squares += float64(x) * float64(x)
		}
		if len(v) > 0 && math.Abs(squares-1) > 1e-4 {
			t.Fatalf("a vector of length %g", math.Sqrt(squares))
		}
	})
}
