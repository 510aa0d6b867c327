package settings_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/settings"
)

func table() *settings.Table {
	return settings.NewTable(settings.Defaults{Ranking: settings.Ranking{Strategy: "margin", Queue: 30, RandomShare: 0.1}}, []string{"margin", "entropy", "random"}, []string{"static", "hashed", "openai:http://embed:8080/v1"})
}

func pair(key, value string) settings.Pair { return settings.Pair{Key: key, Value: &value} }

func TestEachSettingHasItsDefaultTypeAndMeaning(t *testing.T) {
	for _, s := range table().List(nil) {
		if s.Value != s.Default || s.IsSet || s.Type == "" || s.Doc == "" {
			t.Errorf("%+v", s)
		}
		if s.Default == "" {
			continue
		}
		// Each default can be written down and means the same.
		set, _, err := table().Check([]settings.Pair{pair(s.Key, s.Default)})
		if err != nil || set[s.Key] != s.Default {
			t.Errorf("%s: its default %q is read as %q (%v)", s.Key, s.Default, set[s.Key], err)
		}
	}
}

func TestWhatIsRefusedNamesKeyValueAndFix(t *testing.T) {
	for key, values := range map[string][]string{
		"strategy":              {"", "best", "Margin"},
		"queue":                 {"", "0", "-1", "1001", "3.5", "many", "9999999999999999999999"},
		"random_share":          {"", "NaN", "nan", "Inf", "-0.1", "1.1", "half", "1e999"},
		"suggestions":           {"", "maybe", "On"},
		"suggestions_precision": {"0", "1.01", "NaN", "x", "-Inf"},
		"threshold":             {"0", "1", "NaN", ""},
		"learn_from_users":      {"0", "-3", "anna", "1,two", "1.5", "[1,{}]"},
		"learn_from_states":     {"", ",", "submitted,done", "accepted", "[]"},
		"encoder":               {"", "Static", "words", "openai:", "openai:http://elsewhere/v1", "default,static", "\xff", strings.Repeat("x", 5000)},
		"adapt":                 {"", "on", "Auto", "true"},
		"suggestions_off":       {strings.Repeat("x", 1001), "\xff"},
	} {
		for _, value := range values {
			_, _, err := table().Check([]settings.Pair{pair(key, value)})
			var faults settings.Faults
			if !errors.As(err, &faults) || len(faults) != 1 || faults[0].Key != key || faults[0].Fix == "" || faults[0].Problem == "" {
				t.Errorf("%s=%.50q: %v", key, value, err)
			}
			if v := table().Values(map[string]string{key: value}); !slices.Equal(table().List(nil), withoutSet(table().List(map[string]string{key: value}))) {
				t.Errorf("%s=%.50q is stored and in force: %+v", key, value, v)
			}
		}
	}
	_, _, err := table().Check([]settings.Pair{pair("queue", "x"), pair("colour", "red"), {Key: "size"}, pair("queue", "3")})
	var faults settings.Faults
	if !errors.As(err, &faults) || len(faults) != 4 {
		t.Fatalf("not every fault: %v", err)
	}
	for _, key := range table().Keys() {
		if !strings.Contains(faults[1].Error(), key) || !strings.Contains(faults[2].Error(), key) {
			t.Errorf("an unknown key does not say that there is %s", key)
		}
	}
	if _, _, err := table().Check(nil); err == nil {
		t.Error("nothing to do is no fault")
	}
}

func withoutSet(all []settings.Setting) []settings.Setting {
	for i := range all {
		all[i].IsSet = false
	}
	return all
}

func TestValues(t *testing.T) {
	set, reset, err := table().Check([]settings.Pair{
		pair("queue", "12"), pair("learn_from_users", " 5, 1,5 "), pair("learn_from_states", `["skipped"]`),
		{Key: "threshold"},
		pair("suggestions_off", `["topic","a,b","topic/Money"]`), pair("random_share", "2.5e-1"), pair("encoder", "hashed"),
	})
	if err != nil || !slices.Equal(reset, []string{"threshold"}) {
		t.Fatalf("%v %v", reset, err)
	}
	want := map[string]string{"queue": "12", "learn_from_users": "1,5", "learn_from_states": "skipped", "suggestions_off": `["topic","a,b","topic/Money"]`, "random_share": "0.25", "encoder": "hashed"}
	if !maps.Equal(set, want) {
		t.Fatalf("%v, want %v", set, want)
	}
	v := table().Values(set)
	if v.Ranking != (settings.Ranking{Strategy: "margin", Queue: 12, RandomShare: 0.25}) || v.Suggesting.Threshold != 0.4 || v.Encoder != "hashed" {
		t.Errorf("%+v", v)
	}
	if !v.Suggesting.Hides("topic") || v.Suggesting.Hides("other") || !v.Suggesting.HidesLabel("topic", "Money") || v.Suggesting.HidesLabel("topic", "Food") || !v.Suggesting.Hides("a,b") {
		t.Errorf("%+v", v.Suggesting)
	}
	for _, c := range []struct {
		a    event.Annotation
		want bool
	}{
		{event.Annotation{CompletedBy: 5, Cancelled: true}, true},
		{event.Annotation{CompletedBy: 5, Cancelled: true, GroundTruth: true}, true},
		{event.Annotation{CompletedBy: 5, Cancelled: true, FromModel: true}, false},
		{event.Annotation{CompletedBy: 5}, false},
		{event.Annotation{CompletedBy: 2, Cancelled: true}, false},
		{event.Annotation{Cancelled: true}, false},
	} {
		if v.Learning.Takes(c.a) != c.want {
			t.Errorf("%+v: %v", c.a, !c.want)
		}
	}
}

// What another hone has stored and this one cannot read has its default, and is told of.
func TestStoredSettingsOfAnotherHone(t *testing.T) {
	set := map[string]string{"queue": "7", "odds": "3:1", "strategy": "a-strategy-to-come", "encoder": "openai:http://before:8080/v1"}
	v := table().Values(set)
	if v.Ranking.Queue != 7 || v.Ranking.Strategy != "margin" || v.Encoder != settings.DefaultEncoder {
		t.Errorf("%+v", v.Ranking)
	}
	if f := table().Faults(set); len(f) != 3 || !strings.Contains(f[0], "openai:http://before:8080/v1") || !strings.Contains(f[1], "odds") || !strings.Contains(f[2], "a-strategy-to-come") {
		t.Errorf("%q", f)
	}
}

// Whatever is taken has one spelling, which is taken again and means the same.
func TestOneSpelling(t *testing.T) {
	keys := table().Keys()
	rapid.Check(t, func(rt *rapid.T) {
		key := rapid.SampledFrom(keys).Draw(rt, "key")
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[0-9.,e\-]{0,6}`), rapid.StringMatching(`\["[a-z,"\\]{0,8}"\]`),
			rapid.SampledFrom([]string{"margin", "on", "off", "precise", "submitted", "skipped,submitted", "default", "static", "openai:http://embed:8080/v1"})).Draw(rt, "text")
		set, _, err := table().Check([]settings.Pair{pair(key, text)})
		if err != nil {
			return
		}
		again, _, err := table().Check([]settings.Pair{pair(key, set[key])})
		if err != nil || !maps.Equal(set, again) {
			rt.Fatalf("%s=%q is %q, and that is %q (%v)", key, text, set[key], again[key], err)
		}
	})
}
