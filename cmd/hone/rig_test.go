package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/config"
	"github.com/hone-ml/hone/internal/app/apptest"
	"github.com/hone-ml/hone/internal/secret"
)

// instance is a running hone that commands are run against.
type instance struct {
	*apptest.Instance
	t testing.TB
}

func start(t testing.TB, cfg config.Config) *instance {
	t.Helper()
	return &instance{apptest.Start(t, cfg), t}
}

// cmd runs a command against the instance, as its own process would.
func (i *instance) cmd(args ...string) (stdout string, err error) {
	i.t.Helper()
	return i.saying("", args...)
}

// saying is cmd with an input.
func (i *instance) saying(input string, args ...string) (stdout string, err error) {
	i.t.Helper()
	root := newRoot()
	root.SetIn(strings.NewReader(input))
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetArgs(append(args, "--listen", i.Addrs()[0].String(), "--data-dir", i.DataDir))
	err = root.ExecuteContext(context.Background())
	return out.String(), err
}

func (i *instance) ok(args ...string) string {
	i.t.Helper()
	out, err := i.cmd(args...)
	require.NoError(i.t, err, out)
	return out
}

func decimal(id uint64) string { return fmt.Sprint(id) }

func secretOf(s string) secret.Secret { return secret.Secret(s) }
