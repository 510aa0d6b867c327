package bert

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path"

	"github.com/hone-ml/hone/encode/text/internal/tokenizer"
)

// maxText bounds the files that are not weights; the largest, a tokenizer of 250,000 tokens, has
// 17 MB.
const maxText = 256 << 20

const (
	vocabularyFile = "vocab.txt"
	weightsFile    = "model.safetensors"
)

// folder reads files and sums up what was read, which names the encoder.
type folder struct {
	files fs.FS
	sum   hash.Hash
}

// read returns a file's bytes. found is false if there is none; a directory of its name is an
// error, as is a file that is too large.
func (f *folder) read(name string) (b []byte, found bool, err error) {
	file, err := f.files.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = file.Close() }()
	if b, err = io.ReadAll(io.LimitReader(file, maxText+1)); err != nil {
		return nil, false, err
	}
	if len(b) > maxText {
		return nil, false, fmt.Errorf("%s is larger than %d MiB", name, maxText>>20)
	}
	f.include(name, b)
	return b, true, nil
}

// include adds bytes to the sum.
func (f *folder) include(name string, b []byte) {
	_, _ = fmt.Fprintf(f.sum, "%q %d\n", name, len(b))
	_, _ = f.sum.Write(b)
}

// readJSON fills v by a file. found is false if there is none; v is then as it was.
func (f *folder) readJSON(name string, v any) (found bool, err error) {
	b, found, err := f.read(name)
	if err != nil || !found {
		return false, err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return false, fmt.Errorf("%s: %w", name, err)
	}
	return true, nil
}

func (f *folder) exists(name string) bool {
	_, err := fs.Stat(f.files, name)
	return err == nil
}

// readTokenizer reads tokenizer.json or, where there is none, vocab.txt. base is the folder of the
// transformer.
func readTokenizer(f *folder, base string) (*tokenizer.Tokenizer, error) {
	name := path.Join(base, "tokenizer.json")
	b, found, err := f.read(name)
	if err != nil {
		return nil, err
	}
	if found {
		t, err := tokenizer.Parse(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return t, nil
	}
	if b, found, err = f.read(path.Join(base, vocabularyFile)); err != nil {
		return nil, err
	}
	if !found {
		const fix = `save it so: AutoTokenizer.from_pretrained("DIR", use_fast=True).save_pretrained("DIR")`
		if f.exists(path.Join(base, "sentencepiece.bpe.model")) {
			return nil, fmt.Errorf("it has sentencepiece.bpe.model, which is not read, and no %s; %s", name, fix)
		}
		return nil, fmt.Errorf("it has neither %s nor %s; copy one of them from the model, or %s", name, vocabularyFile, fix)
	}
	var how tokenizer.BERT
	if _, err := f.readJSON(path.Join(base, "tokenizer_config.json"), &how); err != nil {
		return nil, err
	}
	t, err := tokenizer.FromVocabulary(string(b), how)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", vocabularyFile, err)
	}
	return t, nil
}
