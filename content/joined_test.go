package content_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/hone-ml/hone/content"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
)

func TestJoinedLeavesOutWhatATaskLacks(t *testing.T) {
	cfg, err := labelconfig.Parse(`<View><Text name="a" value="$x"/><Image name="i" value="$i"/><Text name="b" value="$y"/><Choices name="c" toName="b,i,a"/></View>`)
	if err != nil {
		t.Fatal(err)
	}
	objects := content.Readable(cfg.Controls[0], cfg.Objects)
	if len(objects) != 2 || objects[0].Name != "b" || objects[1].Name != "a" {
		t.Fatalf("readable: %+v", objects)
	}
	for data, want := range map[string]string{`{"x":"one","y":"two"}`: "two\none", `{"x":"one"}`: "one", `{"y":""}`: ""} {
		if got, err := content.Joined(objects, []byte(data)); err != nil || got != want {
			t.Errorf("%s: %q, %v", data, got, err)
		}
	}
	_, err = content.Joined(objects, []byte(`{}`))
	if !errors.Is(err, content.ErrNoText) || !strings.Contains(err.Error(), `name="a"`) || !strings.Contains(err.Error(), `name="b"`) {
		t.Errorf("without any text: %v", err)
	}
}
