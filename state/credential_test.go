package state

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTheTokenIsStoredAndNeverPrinted(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	if c, err := s.Credential(ctx); err != nil || c != (Credential{}) {
		t.Fatalf("at first: %v, %v", c, err)
	}
	want := Credential{Host: "http://ls:8080", Token: "s3cret", At: sec(1)}
	must(t, s.SetCredential(ctx, want))
	got, err := s.Credential(ctx)
	must(t, err)
	if got != want {
		t.Errorf("read back another one")
	}
	j, err := json.Marshal(map[string]any{"c": got, "p": &got})
	must(t, err)
	for _, text := range []string{fmt.Sprint(got, &got), fmt.Sprintf("%v %+v %#v %s %q", got, got, got, got, got), string(j)} {
		if strings.Contains(text, "s3cret") || !strings.Contains(text, "http://ls:8080") {
			t.Errorf("printed as %s", text)
		}
	}
	must(t, s.SetCredential(ctx, Credential{}))
	if c, err := s.Credential(ctx); err != nil || c != (Credential{}) {
		t.Errorf("after deleting: %v, %v", c, err)
	}
}

func TestADamagedCredentialFileSaysWhatToDo(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	must(t, os.WriteFile(s.credential, []byte(`{"token":"s3cret`), 0o600))
	_, err := s.Credential(ctx)
	if err == nil || !strings.Contains(err.Error(), s.credential) || !strings.Contains(err.Error(), "LABEL_STUDIO_API_KEY") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("got %v", err)
	}
	must(t, s.Close())
	if err := s.SetCredential(ctx, given); err == nil {
		t.Error("a closed store took a credential")
	}
}

func TestMovingTheCredentialKeepsTheNewerOne(t *testing.T) {
	newer, older := given, given
	newer.Token, newer.At = "newer", sec(3)
	older.Token, older.At = "older", sec(1)
	for name, tc := range map[string]struct {
		file string
		want Credential
	}{
		"newer in the file": {`{"host":"http://ls:8080","token":"newer","at":"` + newer.At.Format(time.RFC3339) + `"}`, newer},
		"older in the file": {`{"host":"http://ls:8080","token":"older","at":"` + older.At.Format(time.RFC3339) + `"}`, given},
		"no date":           {`{"host":"http://ls:8080","token":"older"}`, given},
		"damaged":           {`{"host":`, given},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _ := oldData(t)
			must(t, os.WriteFile(filepath.Join(dir, CredentialFile), []byte(tc.file), 0o600))
			s := open(t, dir, Options{})
			if c, err := s.Credential(ctx); err != nil || c != tc.want {
				t.Errorf("got %v, %v", c, err)
			}
			if bytes.Contains(databaseOf(t, dir), []byte(token)) {
				t.Error("the database still holds the token")
			}
		})
	}
}
