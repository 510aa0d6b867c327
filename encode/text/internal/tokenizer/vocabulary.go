package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/hone-ml/hone/encode/text/wordpiece"
)

// BERT is how BERT's tokenizer treats characters, as tokenizer_config.json says it beside a
// vocab.txt.
type BERT struct {
	Lower   *bool `json:"do_lower_case"`          // nil: true
	Strip   *bool `json:"strip_accents"`          // nil: as Lower
	Chinese *bool `json:"tokenize_chinese_chars"` // nil: true
	Basic   *bool `json:"do_basic_tokenize"`      // nil: true; false is not supported
}

// FromVocabulary reads a vocab.txt, a word piece a line, as BERT's tokenizer does.
func FromVocabulary(text string, how BERT) (*Tokenizer, error) {
	or := func(v *bool, other bool) bool {
		if v == nil {
			return other
		}
		return *v
	}
	if !or(how.Basic, true) {
		return nil, errors.New("do_basic_tokenize false is not supported")
	}
	lower := or(how.Lower, true)
	pieces := map[string]int32{}
	for line := range strings.Lines(text) {
		piece := strings.TrimRight(line, "\r\n")
		if _, twice := pieces[piece]; twice {
			return nil, fmt.Errorf("line %d: %q is there twice", len(pieces)+1, piece)
		}
		pieces[piece] = int32(len(pieces))
	}
	normalizer := map[string]any{"type": "BertNormalizer", "lowercase": lower, "strip_accents": or(how.Strip, lower), "handle_chinese_chars": or(how.Chinese, true)}
	b, err := json.Marshal(map[string]any{
		"normalizer": normalizer, "pre_tokenizer": map[string]any{"type": "BertPreTokenizer"},
		"model": map[string]any{"type": "WordPiece", "unk_token": wordpiece.Unknown, "vocab": pieces},
	})
	if err != nil {
		return nil, err
	}
	return Parse(b)
}
