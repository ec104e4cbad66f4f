package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"kura/signer/process"
)

// confine gives up for good what the gateway never needs: gaining rights by starting another program, and
// being looked into. A core dump or a debugger of the same user would show the TLS key and the bearer
// secrets that pass by. The user that it runs as, and its unit's hardening, are the wall; this is the
// second one.
func confine() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no new privileges: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("not dumpable: %w", err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("no core dumps: %w", err)
	}
	return nil
}

// reach is what the process may still read, and which TCP ports it may use, once Landlock confines it; it may write
// nothing. Of files that are replaced while it serves, the directory may be read, and the directory that a link leads
// to: a rule holds for a file, not for its name. The signer's socket needs no rule.
func (c *config) reach(file string) (process.Paths, error) {
	paths := process.Paths{}
	for _, name := range []string{file, c.TLS.Certificate, c.TLS.Key, c.TLS.ClientCA} {
		if name == "" {
			continue
		}
		at, err := filepath.EvalSymlinks(name)
		if err != nil {
			return paths, err
		}
		for _, dir := range []string{filepath.Dir(name), filepath.Dir(at)} {
			if dir, err = filepath.Abs(dir); err != nil {
				return paths, err
			}
			if !slices.Contains(paths.Read, dir) {
				paths.Read = append(paths.Read, dir)
			}
		}
	}
	for _, address := range []string{c.Listen, c.Metrics.Listen} {
		if address == "" {
			continue
		}
		port, err := portOf(address)
		if err != nil {
			return paths, err
		}
		paths.ListenTCP = append(paths.ListenTCP, port)
	}
	if len(c.Witnesses) == 0 {
		return paths, nil
	}
	// Names are looked up, by TCP where an answer is long, and certificates held to the system's authorities.
	paths.ConnectTCP = append(paths.ConnectTCP, 53)
	// Directories, not files: who keeps resolv.conf up to date puts another file in its place, which a wall that was
	// built around the old one keeps out. What a directory holds for others only stays closed by its mode.
	paths.Read = append(paths.Read, "?/etc", "?/run/systemd/resolve", "?/run/resolvconf",
		"?/usr/share/ca-certificates", "?/usr/local/share/ca-certificates")
	for i, w := range c.Witnesses {
		if w.CA != "" {
			paths.Read = append(paths.Read, w.CA)
		}
		u, err := url.Parse(w.URL)
		if err != nil {
			return paths, fmt.Errorf("witness[%d].url: %w", i, err)
		}
		name := u.Port()
		if name == "" {
			name = u.Scheme
		}
		port, err := portOf(net.JoinHostPort(u.Hostname(), name))
		if err != nil {
			return paths, fmt.Errorf("witness[%d].url: %w", i, err)
		}
		paths.ConnectTCP = append(paths.ConnectTCP, port)
	}
	return paths, nil
}

// portOf is the port of an address, which may be a service's name.
func portOf(address string) (uint16, error) {
	_, name, err := net.SplitHostPort(address)
	if err != nil {
		return 0, err
	}
	if number, err := strconv.ParseUint(name, 10, 16); err == nil {
		return uint16(number), nil
	}
	port, err := net.DefaultResolver.LookupPort(context.Background(), "tcp", name) // from the system's list, at once
	return uint16(port), err
}
