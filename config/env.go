package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// envAliases are the variables that other Label Studio ML backends read. hone's
// own name for the same key beats them.
var envAliases = map[string]string{ //nolint:gosec // Names of keys, not their values.
	"LABEL_STUDIO_URL":     "label_studio.url",
	"LABEL_STUDIO_API_KEY": "label_studio.api_key",
	"BASIC_AUTH_USER":      "basic_auth.user",
	"BASIC_AUTH_PASS":      "basic_auth.password",
	"LOG_LEVEL":            "log.level",
	"PORT":                 "listen",
}

// fileVariable names the configuration file, as --config does.
const fileVariable = "HONE_CONFIG"

// Kubernetes puts variables like HONE_SERVICE_HOST and HONE_PORT_9090_TCP into
// every container beside a service named hone; nobody wrote them.
var kubernetesVariables = regexp.MustCompile(`^HONE(_[A-Z0-9]+)*_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT|PORT_\d+_(TCP|UDP)(_\w+)?)$`)

// reservedPrefix begins the names that scripts/label-studio and the end-to-end tests
// read; a hone they start inherits them.
const reservedPrefix = "HONE_LS_"

// envLayer is a layer of variables, by name. An empty variable counts as
// not set: compose files and shells leave such behind.
type envLayer map[string]string

func parseEnviron(environ []string) envLayer {
	e := envLayer{}
	for _, kv := range environ {
		if name, value, ok := strings.Cut(kv, "="); ok && strings.TrimSpace(value) != "" {
			e[name] = value
		}
	}
	return e
}

// unknown returns a fault for each HONE_ variable that nobody reads, by name.
// The values stay unsaid: a misspelled one may hold a token.
func (e envLayer) unknown() Faults {
	var fs Faults
	for name := range e {
		if !strings.HasPrefix(name, "HONE_") || name == fileVariable ||
			strings.HasPrefix(name, reservedPrefix) || kubernetesVariables.MatchString(name) {
			continue
		}
		if _, ok := byEnv[name]; ok {
			continue
		}
		names := []string{fileVariable}
		for _, f := range configFields {
			names = append(names, f.env)
		}
		fix := "every key of config.example.yaml is HONE_SECTION_KEY"
		if n := nearestName(name, names); n != "" {
			fix = fmt.Sprintf("did you mean %s?", n)
		}
		fs = append(fs, Fault{Key: name, Source: "environment", Problem: "hone has no such variable", Fix: fix})
	}
	slices.SortFunc(fs, func(a, b Fault) int { return strings.Compare(a.Key, b.Key) })
	return fs
}
