// Command rooms draws who imports whom among hone's packages, into
// docs/ARCHITECTURE.md: go run ./tools/rooms. Its tests hold the layers.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const module = "github.com/hone-ml/hone/"

// layer is some packages in an order, lowest first: each may import those before it and
// those of the layers before.
type layer struct {
	name  string
	rooms []string
}

// layers are all packages, lowest first. The last layer is for tests: what is in it may
// import all, and only tests may import it.
var layers = []layer{
	{"ground", []string{
		"internal/backoff", "internal/cut", "internal/fault", "internal/fsutil", "internal/jsonscan", "internal/logging", "internal/netguard",
		"internal/panics", "internal/parallel", "internal/priority", "internal/records", "internal/secret", "internal/service", "internal/wake", "config", "event", "settings", "vector",
	}},
	{"Label Studio's forms", []string{"labelstudio/passage", "labelstudio/labelconfig", "content", "labelstudio/regions", "labelstudio/wire"}},
	{"doors", []string{"access", "api", "labelstudio", "notify", "page"}},
	{"vectors", []string{
		"encode/text/internal/hashing", "encode/text/internal/kernels", "encode/text/internal/lowrank", "encode/text/token", "encode", "encode/text/wordpiece", "encode/text/ngram", "encode/text/static",
		"encode/text/internal/safetensors", "encode/text/internal/tokenizer", "encode/text/minilm", "encode/text/model2vec", "encode/text/bert", "encode/text/finetune", "encode/remote", "encode/encoders", "encode/trainprocess", "encode/backfill", "internal/newslike",
	}},
	{"memory", []string{"state", "pipeline/boltlog", "pipeline"}},
	{"learning", []string{"learner/model", "learner/score", "learner/head/span", "learner/head", "learner/features", "learner/counts", "learner/tune", "learner/contest", "learner/ranking", "learner/adapt", "learner/stored", "learner/report", "learner"}},
	{"asking", []string{"sampler/strategy", "sampler/coverage", "sampler/draw", "sampler/push", "evaluate/odds", "sampler", "evaluate/confseq", "evaluate", "evaluate/guard", "evaluate/shares"}},
	{"talking to Label Studio", []string{"webhook", "reconcile", "poll", "connect"}},
	{"whole hones", []string{"internal/app/core", "internal/app", "internal/simulate", "internal/bench", "internal/demo", "internal/statustext"}},
	{"commands", []string{"cmd/hone", "tools/checknames", "tools/checksleeps", "tools/clinc10", "tools/features", "tools/newslike", "tools/regret", "tools/rooms"}},
	{"for tests", []string{
		"internal/golden", "internal/service/servicetest", "labelstudio/lstest", "labelstudio/lstest/admin", "learner/head/headtest", "learner/head/span/spantest",
		"encode/text/internal/kernels/kernelstest", "internal/app/apptest", "scripts", "e2e",
	}},
}

// room is a package as `go list` tells it, paths without the module.
type room struct {
	ImportPath, Dir                    string
	Imports, TestImports, XTestImports []string
	GoFiles                            []string
}

// ours keeps hone's own packages of a list of imports.
func ours(imports []string) (out []string) {
	for _, p := range imports {
		if rest, is := strings.CutPrefix(p, module); is {
			out = append(out, rest)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// load asks `go list` about all packages, files for tests of all kinds included.
func load(dir string) (map[string]room, error) {
	cmd := exec.Command("go", "list", "-tags", "e2e,faults", "-json=ImportPath,Dir,Imports,TestImports,XTestImports,GoFiles", "./...") //nolint:noctx // it ends
	cmd.Dir = dir
	var said bytes.Buffer
	cmd.Stderr = &said
	b, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, said.String())
	}
	rooms := map[string]room{}
	for d := json.NewDecoder(bytes.NewReader(b)); ; {
		var r room
		switch err := d.Decode(&r); {
		case errors.Is(err, io.EOF):
			return rooms, nil
		case err != nil:
			return nil, err
		}
		r.ImportPath = strings.TrimPrefix(r.ImportPath, module)
		r.Imports, r.TestImports = ours(r.Imports), ours(append(r.TestImports, r.XTestImports...))
		rooms[r.ImportPath] = r
	}
}

const (
	begin = "<!-- go run ./tools/rooms draws this; a test compares it with the imports -->\n"
	end   = "<!-- end of what is drawn -->\n"
)

// figure is a table of the packages and their imports, highest layer first. What is on
// the ground beside the nouns is left out: everybody may import it.
func figure(rooms map[string]room) string {
	var out strings.Builder
	out.WriteString(begin + "\n| layer | package | imports |\n|---|---|---|\n")
	for _, l := range slices.Backward(layers[1 : len(layers)-1]) {
		name := l.name
		for _, p := range slices.Backward(l.rooms) {
			if strings.HasPrefix(p, "tools/") {
				continue
			}
			imports := slices.DeleteFunc(slices.Clone(rooms[p].Imports), func(q string) bool { return slices.Contains(layers[0].rooms, q) && strings.HasPrefix(q, "internal/") })
			fmt.Fprintf(&out, "| %s | `%s` | %s |\n", name, p, strings.Join(imports, ", "))
			name = ""
		}
	}
	out.WriteString("\n" + end)
	return out.String()
}

// redraw puts the figure into a text in place of the one that is there.
func redraw(text, figure string) (string, error) {
	before, rest, found := strings.Cut(text, begin)
	_, after, ends := strings.Cut(rest, end)
	if !found || !ends {
		return "", errors.New("the text has no place for the figure")
	}
	return before + figure + after, nil
}

func run(dir string) error {
	rooms, err := load(dir)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "docs", "ARCHITECTURE.md")
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	text, err := redraw(string(b), figure(rooms))
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(text), 0o644)
}

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
