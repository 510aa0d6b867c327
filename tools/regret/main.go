// Command regret measures what the choice of settings costs: the accuracy of a model with the
// settings that tune.Search chose from the labels, against that of the best cell of a grid of
// settings.
//
//	go run ./tools/regret -variants -vectors DIR sms,f1=sms.jsonl.gz intents=train.jsonl.gz
//	go run ./tools/regret -variants -only ' in [236]$' intents=train.jsonl.gz
//	go run ./tools/regret -variants -write DIR intents=train.jsonl.gz
//
// A set is a name, "f1" after a comma for macro-F1 instead of accuracy, and a file of JSON lines
// with "text" and "label". Texts are held out of it by an order of its own; the best cell is chosen
// on one half of those, and both are judged on the other half. With -write the sets are only
// written, as DIR/intents-5-words.jsonl.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hone-ml/hone/encode/encoders"
)

type options struct {
	labels   []int
	orders   int
	pool     int
	test     int
	encoder  string
	vectors  string
	variants bool
	only     *regexp.Regexp
	write    string
	grid     bool
	adapt    bool
	verbose  bool
	trainer  *encoders.Trainer // of the encoder that is open
}

func main() {
	var o options
	labels := flag.String("labels", "50,100,200,500", "numbers of labels")
	flag.IntVar(&o.orders, "orders", 10, "orders in which the texts are labelled")
	flag.IntVar(&o.pool, "pool", 2000, "texts to label, at most")
	flag.IntVar(&o.test, "test", 1500, "texts to measure on, at most")
	flag.StringVar(&o.encoder, "encoder", encoders.MiniLM, "an encoder that needs nothing but the text")
	flag.StringVar(&o.vectors, "vectors", "", "folder that keeps the vectors of slow encoders for the next run")
	flag.BoolVar(&o.variants, "variants", false, "measure variants of each set too")
	only := flag.String("only", "", "measure only sets and variants whose name matches this regular expression, such as ' in [236]$'")
	flag.StringVar(&o.write, "write", "", "folder to write the sets to, for hone simulate; nothing is measured")
	flag.BoolVar(&o.grid, "grid", true, "try the grid; without it only the chosen settings and the defaults are measured")
	flag.BoolVar(&o.adapt, "adapt", false, "measure a transformer that adapts to the labels beside it")
	flag.BoolVar(&o.verbose, "v", false, "print the settings that were chosen, and those of the best cell")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := o.parse(*labels, *only)
	if err == nil {
		err = o.measureAll(ctx, flag.Args())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "regret:", err)
		os.Exit(1)
	}
}

func (o *options) parse(labels, only string) (err error) {
	if o.only, err = regexp.Compile(only); err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	for s := range strings.SplitSeq(labels, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return fmt.Errorf("-labels: %q is no number of labels", s)
		}
		o.labels = append(o.labels, n)
	}
	if flag.NArg() == 0 {
		return errors.New("name a set, such as sms,f1=sms.jsonl.gz")
	}
	return nil
}

// measureAll measures all sets, one after the other, and prints each as it is done.
func (o *options) measureAll(ctx context.Context, args []string) error {
	total := summary{}
	for _, arg := range args {
		name, path, ok := strings.Cut(arg, "=")
		if !ok {
			return fmt.Errorf("%q is not NAME=FILE", arg)
		}
		name, metric, _ := strings.Cut(name, ",")
		texts, err := read(path)
		if err != nil {
			return err
		}
		all := []set{{name: name, f1: metric == "f1", texts: texts, trained: o.pool, tested: o.test}}
		if o.variants {
			all = append(all, all[0].variants()...)
		}
		all = slices.DeleteFunc(all, func(s set) bool { return !o.only.MatchString(s.name) })
		if o.write != "" {
			if err := writeAll(o.write, all); err != nil {
				return err
			}
			continue
		}
		encoder, err := o.open(ctx, name, all)
		if err != nil {
			return err
		}
		for _, s := range all {
			for _, n := range o.labels {
				r, err := o.measure(ctx, encoder, s, n)
				if err != nil {
					return fmt.Errorf("%s: %w", s.name, err)
				}
				r.print(os.Stdout, s.name, n)
				if best := r.best(); o.verbose && best >= 0 {
					fmt.Fprintf(os.Stderr, "best cell: %+v\n", r.cells[best])
				}
				total.collect(n, r)
			}
		}
	}
	for _, n := range slices.Sorted(slices.Values(o.labels)) {
		total.print(os.Stdout, n)
	}
	return nil
}
