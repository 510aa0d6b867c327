package model_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/vector"
)

type labelled struct {
	x      vector.Vector
	labels []int32
}

func read(t testing.TB, path string, h encode.Encoder, classes map[string]int32) (all []labelled, single bool) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	single = true
	lines := bufio.NewScanner(z)
	for lines.Scan() {
		var line struct {
			Text, Label string
			Labels      []string
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		if line.Label != "" {
			line.Labels = []string{line.Label}
		} else {
			single = false
		}
		e := labelled{x: h.Encode(line.Text)}
		for _, l := range line.Labels {
			if _, ok := classes[l]; !ok {
				classes[l] = int32(len(classes))
			}
			e.labels = append(e.labels, classes[l])
		}
		slices.Sort(e.labels)
		all = append(all, e)
	}
	return all, single
}

// TestCurves prints learning curves: HONE_DATA names a folder with
// SET/train.jsonl.gz and SET/test.jsonl.gz, HONE_CURVES the sets, HONE_RIDGES
// and HONE_BIASES the settings.
func TestCurves(t *testing.T) {
	dir := os.Getenv("HONE_DATA")
	if dir == "" {
		t.Skip("HONE_DATA names no folder with data sets")
	}
	numbers := func(key, def string) (out []float64) {
		v := os.Getenv(key)
		if v == "" {
			v = def
		}
		for _, f := range strings.Split(v, ",") {
			x, err := strconv.ParseFloat(f, 64)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, x)
		}
		return out
	}
	sizes := numbers("HONE_SIZES", "10,25,50,100,200,500,1000")
	for _, set := range strings.Split(os.Getenv("HONE_CURVES"), ",") {
		classes := map[string]int32{}
		h := ngram.New()
		train, single := read(t, filepath.Join(dir, set, "train.jsonl.gz"), h, classes)
		test, _ := read(t, filepath.Join(dir, set, "test.jsonl.gz"), h, classes)
		link := model.Exclusive
		if !single {
			link = model.Independent
		}
		if len(test) > 1500 {
			test = test[:1500]
		}
		for _, ridge := range numbers("HONE_RIDGES", "0.01") {
			for _, bias := range numbers("HONE_BIASES", "0.1") {
				s := model.Settings{Ridge: ridge, Bias: bias}
				line := fmt.Sprintf("%-14s ridge %-6g bias %-5g", set, ridge, bias)
				began := time.Now()
				seeds := 3
				for _, n := range sizes {
					var acc, f1, loss float64
					passes := 0
					for seed := range seeds {
						order := rand.New(rand.NewPCG(uint64(seed), 1)).Perm(len(train))
						m := model.New(len(classes), link, s)
						for _, i := range order[:min(int(n), len(order))] {
							if err := m.Upsert(example(int64(i), train[i])); err != nil {
								t.Fatal(err)
							}
						}
						passes += m.Optimize(t.Context(), 1e-3).Passes
						a, f, l := evaluate(m.View(), test)
						acc += a / float64(seeds)
						f1 += f / float64(seeds)
						loss += l / float64(seeds)
					}
					line += fmt.Sprintf(" | %g: %.3f %.3f %.2f (%d)", n, acc, f1, loss, passes/seeds)
				}
				fmt.Println(line, time.Since(began).Round(time.Millisecond))
			}
		}
	}
}

func example(id int64, l labelled) model.Example {
	e := model.Example{ID: id, X: l.x, Weight: 1}
	for _, c := range l.labels {
		e.Target = append(e.Target, model.Share{Class: c, P: 1})
	}
	return e
}

// evaluate gives accuracy (of the top class, or of exact sets), macro-F1 and
// log-loss.
func evaluate(v *model.View, test []labelled) (accuracy, macroF1, loss float64) {
	k := v.Classes()
	p := make([]float64, k)
	var s model.Scratch
	tp, fp, fn := make([]float64, k), make([]float64, k), make([]float64, k)
	for _, e := range test {
		v.Predict(e.x, p, &s)
		var said []int32
		if v.Link() == model.Exclusive {
			best := 0
			for y := range p {
				if p[y] > p[best] {
					best = y
				}
			}
			said = []int32{int32(best)}
			loss -= math.Log(max(p[e.labels[0]], 1e-12)) / float64(len(test))
		} else {
			for y := range p {
				if p[y] >= 0.5 {
					said = append(said, int32(y))
				}
			}
		}
		if slices.Equal(said, e.labels) {
			accuracy += 1 / float64(len(test))
		}
		for y := range int32(k) {
			is, guess := slices.Contains(e.labels, y), slices.Contains(said, y)
			switch {
			case is && guess:
				tp[y]++
			case is:
				fn[y]++
			case guess:
				fp[y]++
			}
		}
	}
	seen := 0.0
	for y := range k {
		if tp[y]+fn[y] > 0 {
			seen++
			macroF1 += 2 * tp[y] / (2*tp[y] + fp[y] + fn[y])
		}
	}
	return accuracy, macroF1 / seen, loss
}
