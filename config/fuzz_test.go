package config

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// Whatever the file holds, Load returns a valid Config or complete faults, says
// the same twice, and never prints what stands where a secret belongs.
func FuzzLoad(f *testing.F) {
	example, err := os.ReadFile(exampleFile)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(example))
	f.Add("label_studio:\n  url: http://u:fuzzed-secret@h\n  api_key: fuzzed-secret x\n")
	f.Add("basic_auth: {password: fuzzed-secret}\nwebhook: {secret: \"fuzzed-secret\\n\"}\n")
	f.Add("a: &a [*a, *a]\n<<: *a\n")
	f.Add("cron:\n  retrain: TZ=\n  reconcile: '@every 1ns'\n")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		path := write(t, dir, text)
		c, err := Load(Sources{File: path, Names: known})
		again, errAgain := Load(Sources{File: path, Names: known})
		if (err == nil) != (errAgain == nil) || (err != nil && err.Error() != errAgain.Error()) {
			t.Fatalf("two loads differ:\n%v\n%v", err, errAgain)
		}
		if err == nil {
			if err := c.Validate(known); err != nil {
				t.Fatalf("loaded but not valid: %v", err)
			}
			if c != again {
				t.Fatal("two loads differ")
			}
			return
		}
		var fs Faults
		if !errors.As(err, &fs) || len(fs) == 0 {
			t.Fatalf("not faults: %v", err)
		}
		for _, fault := range fs {
			if fault.Key == "" && !strings.Contains(fault.Problem, "no such key") || fault.Problem == "" || fault.Fix == "" {
				t.Fatalf("an incomplete fault: %#v", fault)
			}
			if f, ok := byKey[fault.Key]; ok && f.secret() && fault.Value != "" && fault.Value != hiddenSecret {
				t.Fatalf("a secret is shown: %#v", fault)
			}
		}
	})
}

// A schedule that is accepted comes, again and again, and never panics.
func FuzzSchedule(f *testing.F) {
	for _, s := range []string{"@every 1m", "0 3 * * *", "off", "TZ=", "TZ=UTC", "@every 1h1m1s", "*/7 1-5,9 29 2 ?", "@", "1/0 * * * *"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		s, on, err := Cron{}.Schedule(spec)
		if err != nil || !on {
			return
		}
		at := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
		if next := s.Next(at); !next.After(at) {
			t.Fatalf("%q is next due at %v, after %v", spec, next, at)
		}
	})
}
