package bert

import (
	"context"
	"encoding/binary"
	"maps"
	"math"
	"strings"
	"testing"
	"testing/fstest"
)

// rename renames a tensor, to a name of the same length or with the rest of the header adjusted.
func rename(t *testing.T, files fstest.MapFS, old, name string) {
	t.Helper()
	b := files[weightsFile].Data
	n := binary.LittleEndian.Uint64(b)
	header := strings.Replace(string(b[8:8+n]), old, name, 1)
	if header == string(b[8:8+n]) {
		t.Fatalf("no tensor %s", old)
	}
	out := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
	files[weightsFile].Data = append(out, b[8+n:]...)
}

// Each fault is told with the file's name, and with what to do.
func TestErrorsNameFileAndFix(t *testing.T) {
	replace := func(name, old, text string) func(fstest.MapFS) {
		return func(files fstest.MapFS) { edit(t, files, name, old, text) }
	}
	remove := func(name string) func(fstest.MapFS) { return func(files fstest.MapFS) { delete(files, name) } }
	add := func(name, text string) func(fstest.MapFS) {
		return func(files fstest.MapFS) { files[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o600} }
	}
	instead := func(before string, after func(fstest.MapFS)) func(fstest.MapFS) {
		return func(files fstest.MapFS) { delete(files, before); after(files) }
	}
	number := func(tensor string, v float64) func(fstest.MapFS) {
		return func(files fstest.MapFS) { setNumber(t, files, tensor, 3, float32(v)) }
	}
	const pooling = "1_Pooling/config.json"
	for _, c := range []struct {
		folder string
		change func(fstest.MapFS)
		want   []string
	}{
		{"mean", remove("config.json"), []string{"no config.json", "hf download"}},
		{"mean", add("config.json", "{"), []string{"config.json"}},
		{"mean", replace("config.json", `"bert"`, `"xlm-roberta"`), []string{"config.json", `"xlm-roberta"`, "bge-small"}},
		{"mean", replace("config.json", `"hidden_size": 32`, `"hidden_size": 40`), []string{"hidden_size is 40", "16"}},
		{"mean", instead(pooling, replace("config.json", `"hidden_size": 32`, `"hidden_size": 64`)), []string{"[178 64]", "copy both"}},
		{"mean", replace("config.json", `"num_attention_heads": 2`, `"num_attention_heads": 4`), []string{"num_attention_heads is 4"}},
		{"mean", replace("config.json", `"num_attention_heads": 2`, `"num_attention_heads": 0`), []string{"num_attention_heads is 0"}},
		{"mean", replace("config.json", `"num_hidden_layers": 3`, `"num_hidden_layers": 1000000000`), []string{"num_hidden_layers"}},
		{"mean", replace("config.json", `"num_hidden_layers": 3`, `"num_hidden_layers": 4`), []string{"encoder.layer.3.", "copy"}},
		{"mean", replace("config.json", `"vocab_size": 178`, `"vocab_size": 16777216`), []string{"model.safetensors", "[178 32]"}},
		{"mean", replace("config.json", `"vocab_size": 178`, `"vocab_size": 100`), []string{"178 tokens", "vocab_size of 100"}},
		{"mean", replace("config.json", `"gelu"`, `"silu"`), []string{`"silu"`, "relu"}},
		{"mean", replace("config.json", `1e-12`, `-1`), []string{"layer_norm_eps"}},
		{"mean", replace("config.json", `"bert"`, `"bert", "position_embedding_type": "relative_key"`), []string{"relative_key"}},
		{"mean", remove("tokenizer.json"), []string{"neither tokenizer.json nor vocab.txt", "save_pretrained"}},
		{"mean", instead("tokenizer.json", add("sentencepiece.bpe.model", "x")), []string{"sentencepiece.bpe.model", "save_pretrained"}},
		{"mean", replace("tokenizer.json", `"WordPiece"`, `"BPE"`), []string{"tokenizer.json", `"BPE"`}},
		{"mean", replace("tokenizer.json", `"TemplateProcessing"`, `"Strange"`), []string{"tokenizer.json", `"Strange"`}},
		{"mean", remove(weightsFile), []string{"no model.safetensors"}},
		{"mean", instead(weightsFile, add("pytorch_model.bin", "x")), []string{"pytorch_model.bin", "safe_serialization"}},
		{"mean", instead(weightsFile, add("model.safetensors.index.json", "{}")), []string{"model.safetensors.index.json", "safe_serialization"}},
		{"mean", add(weightsFile, "\xff\xff\xff\xff\xff\xff\xff\x7f{}"), []string{"model.safetensors", "longer than the file"}},
		{"mean", number("embeddings.word_embeddings.weight", math.NaN()), []string{`"embeddings.word_embeddings.weight": number 3 is NaN`, "again"}},
		{"mean", number("encoder.layer.1.attention.self.key.weight", math.Inf(-1)), []string{`"encoder.layer.1.attention.self.key.weight": number 3 is -Inf`}},
		{"mean", func(files fstest.MapFS) { rename(t, files, "encoder.layer.0.output.dense.bias", "strange") }, []string{"encoder.layer.0.output.dense.bias"}},
		{"mean", replace("modules.json", "models.Pooling", "models.WeightedLayerPooling"), []string{"modules.json", "WeightedLayerPooling"}},
		{"mean", replace("modules.json", "models.Normalize", "models.CNN"), []string{"CNN", "Dense and Normalize"}},
		{"mean", add("modules.json", `[{"type":"Transformer"},{"type":"Normalize"},{"type":"Pooling"}]`), []string{"modules.json", "Normalize comes before the Pooling"}},
		{"mean", replace("modules.json", "models.Transformer", "models.BoW"), []string{"modules.json", "no Transformer"}},
		{"mean", replace("modules.json", `"path": "1_Pooling"`, `"path": "../1_Pooling"`), []string{"modules.json", "leads out"}},
		{"mean", add("modules.json", `[{"type":"Transformer"}]`), []string{"no Pooling"}},
		{"mean", add(pooling, `{"pooling_mode": "lasttoken"}`), []string{pooling, "lasttoken", "mean"}},
		{"mean", add(pooling, `{"pooling_mode": ["cls", "mean"]}`), []string{pooling, "2 modes"}},
		{"mean", add(pooling, `{"word_embedding_dimension": 31, "pooling_mode_mean_tokens": true}`), []string{pooling, "31"}},
		{"mean", replace("sentence_bert_config.json", "40", "9"), []string{"sentence_bert_config.json", "too few"}},
		{"mean", replace("sentence_bert_config.json", "40", "-1"), []string{"sentence_bert_config.json"}},
		{"cls", replace("config_sentence_transformers.json", `"default_prompt_name": "query"`, `"default_prompt_name": "q"`), []string{"config_sentence_transformers.json", `"q"`}},
		{"cls", add(pooling, `{"pooling_mode": "cls", "include_prompt": false}`), []string{pooling, "include_prompt"}},
		{"cls", replace("2_Dense/config.json", `"in_features": 32`, `"in_features": 33`), []string{"2_Dense/config.json", "33"}},
		{"cls", replace("2_Dense/config.json", `"out_features": 40`, `"out_features": 48`), []string{"2_Dense/model.safetensors", "[48 32]"}},
		{"cls", replace("2_Dense/config.json", `Tanh`, `ReLU`), []string{"2_Dense/config.json", "ReLU"}},
		{"cls", remove("2_Dense/config.json"), []string{"2_Dense/config.json", "copy"}},
		{"cls", instead("2_Dense/model.safetensors", add("2_Dense/pytorch_model.bin", "x")), []string{"2_Dense/pytorch_model.bin"}},
	} {
		files := folderFiles(t, c.folder)
		c.change(files)
		_, err := openFolder(files)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v; want %q", err, want)
			}
		}
	}
	for dir, want := range map[string]string{"": "bert:DIR", "testdata/nowhere": "testdata/nowhere: it has no config.json"} {
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", dir, err)
		}
	}
}

// What may be missing, or written otherwise.
func TestOtherFormsOfAFolder(t *testing.T) {
	want := encodeOne(t, open(t, "mean"), "My card has not arrived!")
	for what, change := range map[string]func(fstest.MapFS){
		"no modules.json": func(files fstest.MapFS) { delete(files, "modules.json") },
		"nothing of sentence-transformers": func(files fstest.MapFS) {
			for _, name := range []string{"modules.json", "1_Pooling/config.json", "sentence_bert_config.json"} {
				delete(files, name)
			}
		},
		"a length without end": func(files fstest.MapFS) {
			delete(files, "sentence_bert_config.json")
			files["tokenizer_config.json"] = &fstest.MapFile{Data: []byte(`{"model_max_length": 1000000000000000019884624838656}`), Mode: 0o600}
		},
		"old names of gain and bias": func(files fstest.MapFS) {
			rename(t, files, "embeddings.LayerNorm.weight", "embeddings.LayerNorm.gamma")
			rename(t, files, "embeddings.LayerNorm.bias", "embeddings.LayerNorm.beta")
		},
		"prompts for other tasks": func(files fstest.MapFS) {
			files["config_sentence_transformers.json"] = &fstest.MapFile{Data: []byte(`{"prompts": {"query": "find: "}, "default_prompt_name": null}`), Mode: 0o600}
		},
		"new names of modules": func(files fstest.MapFS) {
			edit(t, files, "modules.json", "sentence_transformers.models.Pooling", "sentence_transformers.sentence_transformer.modules.pooling.Pooling")
		},
	} {
		files := folderFiles(t, "mean")
		change(files)
		e, err := openFolder(files)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		got := encodeOne(t, e, "My card has not arrived!")
		if c := cosine(got, want); c < 0.9999999 {
			t.Errorf("%s: another vector, cosine %v", what, c)
		}
	}
	files := folderFiles(t, "mean")
	files["config_sentence_transformers.json"] = &fstest.MapFile{Data: []byte(`{"prompts": {"classification": "rate: "}}`), Mode: 0o600}
	e, err := openFolder(files)
	if err != nil {
		t.Fatal(err)
	}
	if got := encodeOne(t, e, "My card has not arrived!"); cosine(got, encodeOne(t, open(t, "mean"), "rate: My card has not arrived!")) < 0.9999999 {
		t.Error("the prompt for classification is not read")
	}
}

// FuzzConfig reads foreign configurations beside weights that fit one of them.
func FuzzConfig(f *testing.F) {
	names := []string{"config.json", "modules.json", "1_Pooling/config.json", "sentence_bert_config.json", "config_sentence_transformers.json", "2_Dense/config.json"}
	for _, folder := range []string{"mean", "cls"} {
		files := folderFiles(f, folder)
		var b [6][]byte
		for i, name := range names {
			if file := files[name]; file != nil {
				b[i] = file.Data
			}
		}
		f.Add(b[0], b[1], b[2], b[3], b[4], b[5])
	}
	weights := folderFiles(f, "mean")
	f.Fuzz(func(t *testing.T, a, b, c, d, e, g []byte) {
		files := maps.Clone(weights)
		for i, text := range [][]byte{a, b, c, d, e, g} {
			delete(files, names[i])
			if len(text) > 0 {
				files[names[i]] = &fstest.MapFile{Data: text, Mode: 0o600}
			}
		}
		checkForeign(t, files)
	})
}

// FuzzWeights reads foreign headers before the weights of a network.
func FuzzWeights(f *testing.F) {
	known := folderFiles(f, "mean")
	b := known[weightsFile].Data
	n := binary.LittleEndian.Uint64(b)
	body := b[8+n:]
	f.Add(b[8 : 8+n])
	f.Add([]byte(strings.Replace(string(b[8:8+n]), `"F32"`, `"BF16"`, 1)))
	f.Fuzz(func(t *testing.T, header []byte) {
		files := maps.Clone(known)
		file := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
		files[weightsFile] = &fstest.MapFile{Data: append(file, body...), Mode: 0o600}
		checkForeign(t, files)
	})
}

// checkForeign opens a folder. Its vectors are finite and have parts of length 1, or none.
func checkForeign(t *testing.T, files fstest.MapFS) {
	t.Helper()
	e, err := openFolder(files)
	if err != nil {
		return
	}
	vectors, err := e.EncodeBatch(context.Background(), []string{"my card", strings.Repeat("card ", 60)})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors {
		for part := 0; part < len(v); part += e.Dim() {
			var squares float64
			for _, x := range v[part:][:e.Dim()] {
				squares += float64(x) * float64(x)
			}
			if squares != 0 && math.Abs(squares-1) > 1e-4 || math.IsNaN(squares) {
				t.Fatalf("a part of length %g", math.Sqrt(squares))
			}
		}
	}
}
