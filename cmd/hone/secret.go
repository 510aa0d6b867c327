package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/config"
	"github.com/hone-ml/hone/internal/app"
	"github.com/hone-ml/hone/internal/secret"
	"github.com/hone-ml/hone/labelstudio"
)

// rotateTime bounds the wait for registrations to carry a new secret.
const rotateTime = time.Minute

// shownSecret is the output of `hone secret --json`.
type shownSecret struct {
	User   string `json:"user"`
	Secret string `json:"secret"`
	// Address is the first of Addresses, those to paste into Label Studio.
	Address   string   `json:"address"`
	Addresses []string `json:"addresses"`
}

func newSecret(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "secret",
		Short: "Print the secret of Label Studio's calls, and the address with it to paste",
		Long: `Print the secret that Label Studio's calls must carry, and hone's address with it,
ready to paste in Label Studio under Settings > Model > Connect Model. "hone connect"
needs neither: it hands the secret over by itself.

The secret lies in the data directory, so run this where hone runs. With --rotate a
new one takes its place: the old one goes on working until every registration in
Label Studio carries the new one, which hone sees to.

With --link it prints instead a link to hone's page that signs in whoever opens it
first, within ten minutes.`,
		Example: `  hone secret
  hone secret --url http://hone.internal:9090
  hone secret --rotate
  hone secret --link`,
		Args: cobra.NoArgs,
	}
	rotate := cmd.Flags().Bool("rotate", false, "replace the secret, here and in Label Studio")
	at := cmd.Flags().String("url", "", "hone's address as Label Studio sees it (default made from --listen)")
	link := cmd.Flags().Bool("link", false, "print a link that signs in to hone's page once")
	cmd.MarkFlagsMutuallyExclusive("link", "rotate")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := c.config()
		if err != nil {
			return err
		}
		if *link {
			return c.printLink(cmd.Context(), cfg, *at)
		}
		if *rotate {
			if err := c.rotate(cmd.Context(), cfg); err != nil {
				return err
			}
		}
		return c.printSecret(cfg, *at)
	}
	return c.withJSON(cmd)
}

func (c *cli) printSecret(cfg config.Config, at string) error {
	pair, err := access.Read(app.KeyOptions(cfg))
	if err != nil {
		return err
	}
	addresses := []string{at}
	if at == "" {
		if addresses, err = ownAddresses(cfg); err != nil {
			return err
		}
	} else if err := labelstudio.CheckHookHost(at); err != nil {
		return err
	}
	out := shownSecret{User: pair.User, Secret: pair.Password}
	for _, a := range addresses {
		out.Addresses = append(out.Addresses, labelstudio.WithUserInfo(a, pair.User, secret.Secret(pair.Password)))
	}
	out.Address = out.Addresses[0]
	if c.json {
		return c.printJSON(out)
	}
	c.printf("user    %s\nsecret  %s\n\nPaste in Label Studio under Settings > Model > Connect Model, as it reaches this machine:\n\n", out.User, out.Secret)
	for _, a := range out.Addresses {
		c.printf("  %s\n", a)
	}
	return nil
}

// shownLink is the output of `hone secret --link --json`.
type shownLink struct {
	Links []string  `json:"links"`
	Ends  time.Time `json:"ends"`
}

// printLink prints a link that signs in, for each address of hone's page.
func (c *cli) printLink(ctx context.Context, cfg config.Config, at string) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	link, err := cl.SignInLink(ctx)
	if err != nil {
		return err
	}
	if cfg.AdminListen != "" {
		cfg.Listen = cfg.AdminListen
	}
	addresses := []string{at}
	if at == "" {
		if addresses, err = ownAddresses(cfg); err != nil {
			return err
		}
	}
	out := shownLink{Ends: link.Ends}
	for _, a := range addresses {
		out.Links = append(out.Links, strings.TrimRight(a, "/")+"/"+link.Path)
	}
	if c.json {
		return c.printJSON(out)
	}
	c.printf("Open one of these, as your browser reaches this machine; it signs in once, until %s:\n\n", out.Ends.Local().Format(time.TimeOnly))
	for _, l := range out.Links {
		c.printf("  %s\n", l)
	}
	return nil
}

// ownAddresses are those under which Label Studio may reach hone: the one it
// listens at, or all of this machine.
func ownAddresses(cfg config.Config) ([]string, error) {
	first, err := api.BaseFromListen(cfg.Listen, cfg.TLS.On())
	if err != nil {
		return nil, err
	}
	out := []string{first}
	host, number, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return nil, err
	}
	if !everyInterface(host) {
		return out, nil
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("this machine's addresses: %w; give hone's with --url", err)
	}
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		if ip := p.Addr().Unmap(); !ip.IsLoopback() && !ip.IsLinkLocalUnicast() {
			more, err := api.BaseFromListen(net.JoinHostPort(ip.String(), number), cfg.TLS.On())
			if err == nil {
				out = append(out, more)
			}
		}
	}
	return out, nil
}

// everyInterface reports whether a host to listen at stands for all of the machine's
// addresses.
func everyInterface(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.IsUnspecified()
}

// rotate replaces the secret, of the running hone or, when none runs, in the data
// directory: hone then mends the registrations when it starts.
func (c *cli) rotate(ctx context.Context, cfg config.Config) error {
	cl, err := app.Client(cfg)
	if err != nil {
		return err
	}
	now, err := cl.Rotate(ctx)
	if errors.Is(err, api.ErrNotRunning) {
		keys, err := access.Open(app.KeyOptions(cfg))
		if err != nil {
			return err
		}
		return keys.Rotate()
	}
	if err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, rotateTime)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for now.Rotating {
		select {
		case <-wait.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return c.unrotated(now)
		case <-tick.C:
		}
		if now, err = cl.Rotation(ctx); err != nil {
			return err
		}
	}
	if !c.json {
		c.printf("every registration carries the new secret; the old one no longer works\n\n")
	}
	return nil
}

// unrotated returns an error that names the registrations that still carry the old secret.
func (c *cli) unrotated(r api.Rotation) error {
	var errs []error
	for _, p := range r.Projects {
		if !p.Carries {
			why := p.Problem
			if why == "" {
				why = "hone is still trying"
			}
			errs = append(errs, fmt.Errorf("project %d: %s", p.Project, why))
		}
	}
	return fmt.Errorf("the secret was replaced, but not all registrations carry the new one yet; until then the old one works too (`hone status` says when something is wrong):\n%w", errors.Join(errs...))
}
