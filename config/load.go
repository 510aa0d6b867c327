package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
)

// DefaultFile is read when no file is named; it may be missing.
const DefaultFile = "config.yaml"

// Sources names what Load reads.
type Sources struct {
	// File is the configuration file. Empty means the variable HONE_CONFIG, and
	// when that is not set either DefaultFile, if it is there.
	File string
	// Environ is as os.Environ returns it.
	Environ []string
	// Flags may be nil. Those read, when they were given: --listen, --data-dir,
	// --insecure and --debug.
	Flags *pflag.FlagSet
	// Names are those that are valid.
	Names Names
}

// Load reads all sources over the defaults and validates the result. The error
// is Faults with everything that is wrong, so that one run shows it all; the
// Config returned beside it is not to be used.
func Load(s Sources) (Config, error) {
	c := Default()
	m := mergedLayers{k: koanf.New("."), from: map[string]string{}}
	vars := parseEnviron(s.Environ)

	fileOK := m.file(s.File, vars[fileVariable])
	m.faults = append(m.faults, vars.unknown()...)
	m.environment(vars)
	m.flags(s.Flags)

	unread := map[string]bool{}
	for _, f := range configFields {
		if !m.k.Exists(f.key) {
			continue
		}
		text := m.k.String(f.key)
		if problem, fix := f.parse(&c, text); problem != "" {
			unread[f.key] = true
			m.faults = append(m.faults, Fault{
				Key: f.key, Value: f.masked(text), Source: m.from[f.key], Problem: problem, Fix: fix,
			})
		}
	}
	c.normalise()
	// Without the file, a complaint about what it should have held would mislead.
	if fileOK {
		for _, f := range c.validate(s.Names) {
			if !unread[f.Key] {
				f.Source = m.from[f.Key]
				m.faults = append(m.faults, f)
			}
		}
	}
	return c, m.faults.err()
}

// mergedLayers holds the layers, each over the one before, and where each key's
// value came from.
type mergedLayers struct {
	k      *koanf.Koanf
	from   map[string]string
	faults Faults
}

// file reports whether the file was read or may be missing.
func (m *mergedLayers) file(flag, variable string) bool {
	path, source := flag, "flag --config"
	if path == "" {
		path, source = variable, "environment variable "+fileVariable
	}
	named := path != ""
	if !named {
		path, source = DefaultFile, ""
	}
	fail := func(problem, fix string) bool {
		m.faults = append(m.faults, Fault{Key: "config", Value: path, Source: source, Problem: problem, Fix: fix})
		return false
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if !named {
			return true
		}
		return fail("there is no such file", "name an existing file, or copy config.example.yaml there")
	}
	if err != nil {
		return fail("cannot be read: "+withoutPath(err), "make it a file that hone's user may read")
	}
	layer := &yamlLayer{name: path}
	if err := m.k.Load(bytesProvider(b), layer); err != nil {
		return fail(err.Error(), "correct it; config.example.yaml shows the form")
	}
	m.faults = append(m.faults, layer.faults...)
	for key, line := range layer.lines {
		m.from[key] = fmt.Sprintf("%s:%d", path, line)
	}
	return true
}

// environment loads the common names first and hone's own names over them.
func (m *mergedLayers) environment(vars envLayer) {
	own := func(name string) (string, bool) { f, ok := byEnv[name]; return f.key, ok }
	common := func(name string) (string, bool) { k, ok := envAliases[name]; return k, ok }
	for _, keyOf := range []func(string) (string, bool){common, own} {
		m.load(env.Provider(".", env.Opt{
			EnvironFunc: func() []string {
				out := make([]string, 0, len(vars))
				for name, value := range vars {
					out = append(out, name+"="+value)
				}
				return out
			},
			TransformFunc: func(name, value string) (string, any) {
				key, ok := keyOf(name)
				if !ok || (name == "PORT" && serviceLink(value)) {
					return "", nil
				}
				m.from[key] = "environment variable " + name
				if name == "PORT" {
					value = ":" + strings.TrimPrefix(strings.TrimSpace(value), ":")
				}
				return key, value
			},
		}))
	}
}

// serviceLink recognises the PORT=tcp://10.0.0.1:80 of container links.
func serviceLink(port string) bool { return strings.Contains(port, "://") }

func (m *mergedLayers) flags(fs *pflag.FlagSet) {
	if fs == nil {
		return
	}
	m.load(posflag.ProviderWithFlag(fs, ".", m.k, func(f *pflag.Flag) (string, any) {
		if !f.Changed {
			return "", nil
		}
		switch f.Name {
		case "listen":
			m.from["listen"] = "flag --listen"
			return "listen", f.Value.String()
		case "data-dir":
			m.from["data_dir"] = "flag --data-dir"
			return "data_dir", f.Value.String()
		case "insecure":
			m.from["insecure"] = "flag --insecure"
			return "insecure", f.Value.String()
		case "debug":
			if on, _ := parseBool(f.Value.String()); on {
				m.from["log.level"] = "flag --debug"
				return "log.level", "debug"
			}
		}
		return "", nil
	}))
}

// load adds a layer of known keys with text values, which cannot fail.
func (m *mergedLayers) load(p koanf.Provider) {
	if err := m.k.Load(p, nil); err != nil {
		m.faults = append(m.faults, Fault{Key: "config", Problem: err.Error(), Fix: "report this as a bug"})
	}
}

// withoutPath returns an error's text without the path, which the fault names already.
func withoutPath(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

// bytesProvider passes bytes that were already read to koanf.
type bytesProvider []byte

func (b bytesProvider) ReadBytes() ([]byte, error) { return b, nil }

func (bytesProvider) Read() (map[string]any, error) { return nil, errors.New("not supported") }
