package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/encoders"
)

// The command answers with an adapter that fits the encoder and no other; and what it says of texts of one
// class is an answer too. People do not see it among the commands.
func TestTrainAdapter(t *testing.T) {
	const folder = encoders.BERT + "../../encode/text/bert/testdata/mean"
	ofFolder, err := encoders.NewTrainer(folder, encoders.Options{})
	require.NoError(t, err)
	trainer, err := encoders.NewTrainer(encoders.MiniLM, encoders.Options{})
	if err != nil {
		t.Skip(err)
	}
	run := func(texts []encode.LabelledText, command ...string) (answer struct {
		Adapter []byte
		Error   string
	},
	) {
		in, err := json.Marshal(map[string]any{"texts": texts})
		require.NoError(t, err)
		root := newRoot()
		var out bytes.Buffer
		root.SetArgs(command)
		stdin, parent := io.Pipe()
		defer parent.Close() //nolint:errcheck // it never fails
		go parent.Write(in)  //nolint:errcheck // a child that does not read gives no answer
		root.SetIn(stdin)
		root.SetOut(&out)
		require.NoError(t, root.ExecuteContext(t.Context()))
		require.NoError(t, json.Unmarshal(out.Bytes(), &answer))
		return answer
	}
	var texts []encode.LabelledText
	for i := range 16 {
		texts = append(texts, encode.LabelledText{Text: fmt.Sprint([]string{"a card of number ", "the phone of app "}[i%2], i), Class: i % 2})
	}
	got := run(texts, trainAdapter)
	assert.Empty(t, got.Error)
	_, err = trainer.Adapted(got.Adapter)
	require.NoError(t, err)
	_, err = ofFolder.Adapted(got.Adapter)
	require.ErrorContains(t, err, "minilm")
	command := trainCommand(folder)
	require.Len(t, command, 4)
	got = run(texts, command[1:]...)
	assert.Empty(t, got.Error)
	_, err = ofFolder.Adapted(got.Adapter)
	require.NoError(t, err)
	_, err = trainer.Adapted(got.Adapter)
	require.ErrorContains(t, err, ofFolder.BaseName())
	assert.Contains(t, run(texts[:1], trainAdapter).Error, "two classes")
	root := newRoot()
	root.SetArgs([]string{trainAdapter, "--encoder", "static"})
	require.ErrorContains(t, root.Execute(), "static cannot adapt")
	var help bytes.Buffer
	root = newRoot()
	root.SetArgs([]string{"--help"})
	root.SetOut(&help)
	require.NoError(t, root.Execute())
	assert.False(t, strings.Contains(help.String(), "train-adapter"))
}
