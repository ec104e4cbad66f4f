package token

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/pkcs11"

	"kura/nem"
)

// secondProcess is what this test binary does as another process of the host:
// it destroys a key behind the first one's back, or takes the token directory away
// and puts it back, again and again, until its standard input ends.
func secondProcess(role string) int {
	input := bufio.NewReader(os.Stdin)
	switch role {
	case "needles":
		printNeedles()
		return 0
	case "destroy":
		label, id, digits := os.Getenv("KURA_TEST_LABEL"), os.Getenv("KURA_TEST_ID"), make([]byte, 32)
		if _, err := io.ReadFull(input, digits); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		pin, err := emptyPIN()
		if err == nil {
			pin.length = copy(pin.secret.Bytes(), digits)
			err = destroyAs(label, id, pin)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	case "shuffle":
		directory := os.Getenv("KURA_TEST_DIRECTORY")
		for { // the token goes for each byte that is asked for, and is soon back
			if _, err := input.ReadByte(); err != nil {
				return 0
			}
			err := os.Rename(directory, awayFrom(directory))
			if err == nil {
				<-time.After(30 * time.Millisecond)
				err = os.Rename(awayFrom(directory), directory)
			}
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
		}
	}
	return 2
}

// awayFrom is outside the directory of tokens: within it, SoftHSM finds a token
// under any name.
func awayFrom(directory string) string {
	return filepath.Join(filepath.Dir(filepath.Dir(directory)), "away-"+filepath.Base(directory))
}

func destroyAs(label, id string, pin *PIN) error {
	connected, err := connectModule(softHSM, label, pin)
	if err != nil {
		return err
	}
	m := connected.(*module)
	session, err := m.OpenSession()
	if err != nil {
		return err
	}
	raw, err := hex.DecodeString(id)
	if err != nil {
		return err
	}
	found, err := m.Find(session, []*pkcs11.Attribute{attribute(pkcs11.CKA_ID, raw)})
	if err != nil || len(found) == 0 {
		return fmt.Errorf("%d objects: %w", len(found), err)
	}
	for _, object := range found {
		if err := m.DestroyObject(session, object); err != nil {
			return err
		}
	}
	return m.Close()
}

// tokenPath is the directory of this bench's token alone.
func (b *bench) tokenPath(tok *Token) string {
	b.t.Helper()
	serial := tok.current.info.SerialNumber
	directories, err := os.ReadDir(tokenDirectory)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, directory := range directories {
		if strings.HasSuffix(directory.Name(), serial[len(serial)-12:]) {
			return filepath.Join(tokenDirectory, directory.Name())
		}
	}
	b.t.Fatalf("no directory for serial %s", serial)
	return ""
}

// module reaches the real module behind whatever wraps it.
func (t *Token) realModule() *module { return t.current.module.(*module) }

func TestTokenDirectoryGoneAndBack(t *testing.T) {
	b := initialised(t)
	tok := b.open()
	tok.pause = func(int) <-chan time.Time { return time.After(5 * time.Millisecond) }
	refs := []WalletRef{wallet(t, tok, "a", nem.SymbolTestnet), wallet(t, tok, "b", nem.NIS1Testnet)}
	path := b.tokenPath(tok)
	for round := range 2 {
		if err := os.Rename(path, awayFrom(path)); err != nil {
			t.Fatal(err)
		}
		unseen := WalletRef{Name: "never-seen", Network: nem.SymbolTestnet, PublicKey: refs[0].PublicKey}
		for _, ref := range append([]WalletRef{unseen}, refs...) { // the unseen one meets the loss first
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			_, err := tok.Sign(ctx, ref, []byte("m"))
			cancel()
			// SoftHSM goes on using an AES key from memory: a right signature is fine.
			if err != nil && (!errors.Is(err, ErrUnavailable) || errors.Is(err, ErrNoKey)) {
				t.Errorf("round %d: %s while the token is gone: %v", round, ref.Name, err)
			}
			if err == nil && ref.Name == "never-seen" {
				t.Error("a key that is nowhere signed")
			}
		}
		if err := os.Rename(awayFrom(path), path); err != nil {
			t.Fatal(err)
		}
		for _, ref := range refs {
			if _, err := tok.Sign(context.Background(), ref, []byte("m")); err != nil {
				t.Errorf("round %d: %s when the token is back: %v", round, ref.Name, err)
			}
		}
		if _, err := tok.Sign(context.Background(), unseen, []byte("m")); !errors.Is(err, ErrNoKey) {
			t.Errorf("round %d: a key that is nowhere: %v", round, err)
		}
	}
}

func TestSomebodyElseInTheProcess(t *testing.T) {
	b := initialised(t)
	tok := b.open()
	tok.pause = immediately
	ctx := context.Background()
	refs := []WalletRef{wallet(t, tok, "a", nem.SymbolTestnet), wallet(t, tok, "b", nem.NIS1Testnet)}
	if err := tok.WriteAnchor(ctx, []byte("anchor")); err != nil {
		t.Fatal(err)
	}
	works := func(after string) {
		t.Helper()
		for _, ref := range refs {
			if _, err := tok.Sign(ctx, ref, []byte("m")); err != nil {
				t.Errorf("%s: %s: %v", after, ref.Name, err)
			}
		}
	}
	disturbances := []struct {
		name string
		do   func(*module) error
	}{
		{"C_CloseAllSessions", func(m *module) error { return m.context.CloseAllSessions(m.slot) }},
		{"C_Logout", func(m *module) error {
			session, err := m.OpenSession()
			if err != nil {
				return err
			}
			return m.context.Logout(session)
		}},
		{"C_Finalize", func(m *module) error { return m.context.Finalize() }},
	}
	for _, disturbance := range disturbances {
		if err := disturbance.do(tok.realModule()); err != nil {
			t.Fatalf("%s: %v", disturbance.name, err)
		}
		works(disturbance.name)
		// A session that was logged out finds no private object and calls it success.
		if err := disturbance.do(tok.realModule()); err != nil {
			t.Fatalf("%s: %v", disturbance.name, err)
		}
		if anchor, err := tok.ReadAnchor(ctx); err != nil || string(anchor) != "anchor" {
			t.Errorf("after %s the anchor reads %q, %v", disturbance.name, anchor, err)
		}
		if err := disturbance.do(tok.realModule()); err != nil {
			t.Fatalf("%s: %v", disturbance.name, err)
		}
		wallets, err := tok.Wallets()
		if err != nil || len(wallets) != 2 {
			t.Errorf("after %s: %d wallets, %v", disturbance.name, len(wallets), err)
		}
	}
}

func TestKeyDestroyedByAnotherProcess(t *testing.T) {
	b := initialised(t)
	tok := b.open()
	tok.pause = immediately
	ref, other := wallet(t, tok, "a", nem.SymbolTestnet), wallet(t, tok, "b", nem.SymbolTestnet)
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), "KURA_TEST_ROLE=destroy", "KURA_TEST_LABEL="+b.label,
		"KURA_TEST_ID="+hex.EncodeToString(walletKeyID(testGenesis, ref.Network, ref.Name)))
	command.Stdin = strings.NewReader(b.digits)
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("second process: %v\n%s", err, output)
	}
	if _, err := tok.Sign(context.Background(), ref, []byte("m")); !errors.Is(err, ErrNoKey) {
		t.Errorf("a key that was destroyed: %v", err)
	}
	if _, err := tok.Sign(context.Background(), other, []byte("m")); err != nil {
		t.Errorf("the other key: %v", err)
	}
}

// A process that is alone uses the module; a second Open is refused, not given
// the first one's login.
func TestOneTokenPerProcess(t *testing.T) {
	b := initialised(t)
	b.open()
	if second, err := Open(context.Background(), b.config()); err == nil {
		_ = second.Close()
		t.Error("a second token was opened in the same process")
	}
}

// TestSoak signs with both custodies from many goroutines while a second process
// takes the token directory away and sessions are closed behind the package's
// back: after so many signatures, and not so often, so that a slow machine gets as far
// between two of them. KURA_SOAK is the number of signatures (`make soak`: 100000).
func TestSoak(t *testing.T) {
	total, workers := 1500, 16
	if text := os.Getenv("KURA_SOAK"); text != "" {
		var err error
		if total, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
		workers = 64
	}
	b := initialised(t)
	config := b.config()
	config.Timeout = time.Minute
	tok, err := open(context.Background(), config, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tok.Close() })
	refs := []WalletRef{wallet(t, tok, "a", nem.SymbolTestnet), wallet(t, tok, "b", nem.NIS1Testnet)}
	goroutines, descriptors, sessions := runtime.NumGoroutine(), openDescriptors(t), sessionCount(t, tok)

	shuffler := exec.Command(os.Args[0])
	shuffler.Env = append(os.Environ(), "KURA_TEST_ROLE=shuffle", "KURA_TEST_DIRECTORY="+b.tokenPath(tok))
	shuffle, err := shuffler.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := shuffler.Start(); err != nil {
		t.Fatal(err)
	}
	closing := make(chan struct{}, total)
	var closer sync.WaitGroup
	closer.Go(func() {
		for range closing {
			closeSessions(tok)
		}
	})
	var group sync.WaitGroup
	for worker := range workers {
		group.Go(func() {
			for i := worker; i < total; i += workers {
				switch i % 150 {
				case 0, 50, 100:
					closing <- struct{}{}
				case 75:
					if _, err := shuffle.Write([]byte{0}); err != nil {
						t.Errorf("second process: %v", err)
					}
				}
				ref, message := refs[i%2], fmt.Appendf(nil, "message %d of the soak", i)
				signature, err := tok.Sign(context.Background(), ref, message)
				if err != nil {
					t.Errorf("signature %d: %v", i, err)
					continue
				}
				if err := nem.Verify(ref.Network, ref.PublicKey, message, signature); err != nil {
					t.Errorf("signature %d is wrong: %v", i, err)
				}
			}
		})
	}
	group.Wait()
	close(closing)
	closer.Wait()
	_ = shuffle.Close()
	if err := shuffler.Wait(); err != nil {
		t.Errorf("second process: %v", err)
	}
	if err := tok.Health(context.Background()); err != nil {
		t.Errorf("after the soak: %v", err)
	}
	if now := sessionCount(t, tok); now != sessions {
		t.Errorf("%d sessions after the soak, %d before", now, sessions)
	}
	if now := openDescriptors(t); now > descriptors+4 {
		t.Errorf("%d descriptors after the soak, %d before", now, descriptors)
	}
	if now := runtime.NumGoroutine(); now > goroutines+4 {
		t.Errorf("%d goroutines after the soak, %d before", now, goroutines)
	}
}

// closeSessions closes every session behind the package's back. It first holds all
// of them still: SoftHSM frees a session under a call in flight and crashes.
func closeSessions(tok *Token) {
	tok.mutex.Lock()
	c := tok.current
	tok.mutex.Unlock()
	if c == nil {
		return
	}
	closed := make(chan struct{})
	var still, ended sync.WaitGroup
	var held atomic.Int32
	still.Add(c.size)
	for range c.size {
		ended.Go(func() {
			arrived := false
			err := c.run(context.Background(), func(*session) error {
				if !arrived {
					arrived = true
					held.Add(1)
					still.Done()
				}
				<-closed
				return nil
			})
			if err != nil && !arrived {
				still.Done()
			}
		})
	}
	still.Wait()
	if int(held.Load()) == c.size {
		m := c.module.(*module)
		_ = m.context.CloseAllSessions(m.slot)
	}
	close(closed)
	ended.Wait()
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

func sessionCount(t *testing.T, tok *Token) uint {
	t.Helper()
	info, err := tok.realModule().TokenInfo()
	if err != nil {
		t.Fatal(err)
	}
	return info.SessionCount
}
