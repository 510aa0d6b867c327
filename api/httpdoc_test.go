package api_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/internal/golden"
)

const httpDoc = "../docs/HTTP.md"

// documented are the types of all bodies, in and out.
var documented = []any{
	api.Project{},
	api.Head{},
	api.PoolAccuracy{},
	api.Guard{},
	api.GuardControl{},
	api.Odds{},
	api.Shares{},
	api.ControlShares{},
	api.LabelShare{},
	api.AccuracyHistory{},
	api.AccuracyPoint{},
	api.Unlearnable{},
	api.Refused{},
	api.Reason{},
	api.Queue{},
	api.Retrain{},
	api.Predictions{},
	api.Prelabel{},
	api.Annotations{},
	api.Suggestions{},
	api.Encoding{},
	api.Adapted{},
	api.Reconcile{},
	api.Poll{},
	api.Setting{},
	api.Configuration{},
	api.Descriptions{},
	api.DescribedControl{},
	api.DescribedLabel{},
	api.Listing{},
	api.SignInLink{},
	api.PredictRequest{},
	api.PredictTask{},
	api.PredictResponse{},
	api.AnsweredControl{},
	api.TaskPrediction{},
	api.ControlPrediction{},
	api.LabelProbability{},
	api.PredictedSpan{},
	api.VersionList{},
	api.Version{},
	api.Accepted{},
	api.ConnectRequest{},
	api.LoginRequest{},
	api.DisconnectRequest{},
	api.Report{},
	api.Step{},
	api.DeadLetterList{},
	api.DeadLetter{},
	api.DeadLetterIDs{},
	api.Count{},
	api.Rotation{},
	api.Registration{},
	api.Probe{},
	api.Error{},
}

// row is a line of a table of the page.
var row = regexp.MustCompile("^\\| `([a-z0-9_]+)` \\| ([^|]+) \\| (.+) \\|$")

// The page lists every field that there is, with its type and a meaning, and no other.
func TestThePageOfHTTPHasEveryField(t *testing.T) {
	b, err := os.ReadFile(httpDoc)
	require.NoError(t, err)
	page := string(b)
	for _, v := range documented {
		typ := reflect.TypeOf(v)
		var have, want []string
		_, section, found := strings.Cut(page, "\n### "+typ.Name()+"\n")
		require.True(t, found, "docs/HTTP.md has no section ### %s", typ.Name())
		section, _, _ = strings.Cut(section, "\n### ")
		fixed := section
		for line := range strings.Lines(section) {
			m := row.FindStringSubmatch(strings.TrimRight(line, "\n"))
			if m == nil {
				continue
			}
			have = append(have, m[1]+" "+m[2])
			if i := slices.IndexFunc(fieldsOf(typ), func(f string) bool { return strings.HasPrefix(f, m[1]+" ") }); i >= 0 {
				_, kind, _ := strings.Cut(fieldsOf(typ)[i], " ")
				fixed = strings.Replace(fixed, line, "| `"+m[1]+"` | "+kind+" | "+m[3]+" |\n", 1)
			}
		}
		want = fieldsOf(typ)
		if golden.Updating() {
			page = strings.Replace(page, section, fixed, 1)
			continue
		}
		assert.Equal(t, want, have, "docs/HTTP.md, ### %s; types are put right by go test ./api -run Page -update", typ.Name())
	}
	if golden.Updating() {
		require.NoError(t, os.WriteFile(httpDoc, []byte(page), 0o600))
	}
}

// fieldsOf are the JSON keys of a struct with their types.
func fieldsOf(t reflect.Type) (out []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if tag == "-" || tag == "" {
			continue
		}
		kind := jsonType(f.Type)
		if strings.Contains(f.Tag.Get("json"), ",omitempty") {
			kind = strings.TrimSuffix(kind, "?") + "?"
		}
		out = append(out, tag+" "+kind)
	}
	return out
}

func jsonType(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return "time"
	case t == reflect.TypeFor[json.RawMessage]():
		return "object"
	case t.Kind() == reflect.Pointer:
		return jsonType(t.Elem()) + "?"
	case t.Kind() == reflect.Slice:
		return "list of " + jsonType(t.Elem())
	case t.Kind() == reflect.Map:
		return "object of " + jsonType(t.Elem())
	case t.Kind() == reflect.Struct:
		return "[" + t.Name() + "](#" + strings.ToLower(t.Name()) + ")"
	case t.Kind() == reflect.Bool:
		return "boolean"
	case t.Kind() == reflect.String:
		return "string"
	}
	return "number"
}

// No type with JSON keys, and no answer without a type, gets past the page.
func TestEveryAnswerHasATypeOnThePage(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	names := map[string]bool{}
	for _, v := range documented {
		names[reflect.TypeOf(v).Name()] = true
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || file == "client.go" { // which also speaks Label Studio's protocol
			continue
		}
		parsed, err := parser.ParseFile(gotoken.NewFileSet(), file, nil, 0)
		require.NoError(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.TypeSpec:
				s, is := n.Type.(*ast.StructType)
				if is && slices.ContainsFunc(s.Fields.List, func(f *ast.Field) bool { return f.Tag != nil && strings.Contains(f.Tag.Value, "json:") }) {
					assert.True(t, names[n.Name.Name], "%s: %s is in no section of docs/HTTP.md", file, n.Name.Name)
				}
			case *ast.CompositeLit:
				if s, is := n.Type.(*ast.SelectorExpr); is && s.Sel.Name == "H" {
					t.Errorf("%s: an answer without a type; make it a type of this package", file)
				}
			}
			return true
		})
	}
	for _, v := range documented {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
			inner := f.Type
			for inner.Kind() == reflect.Slice || inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Map {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct && inner != reflect.TypeFor[time.Time]() {
				assert.True(t, names[inner.Name()], "%s is in no section of docs/HTTP.md", inner.Name())
			}
		}
	}
}

func TestThePageOfHTTPHasEveryRoute(t *testing.T) {
	b, err := os.ReadFile(httpDoc)
	require.NoError(t, err)
	e := gin.New()
	s := &api.Server{DeadLetters: letters{&fake{}}}
	s.Register(e)
	s.RegisterProbes(e)
	require.Greater(t, len(e.Routes()), 15)
	for _, r := range e.Routes() {
		assert.Contains(t, string(b), "\n| `"+r.Method+" "+strings.ReplaceAll(r.Path, ":id", "{id}")+"` | ")
	}
}
