package token

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/miekg/pkcs11"
	"golang.org/x/sys/unix"

	"kura/nem"
)

// spread runs b.N calls from so many goroutines and reports rate and latency.
func spread(b *testing.B, callers int, call func(caller int) error) {
	b.Helper()
	took := make([]time.Duration, b.N)
	var next, failed int
	var mutex sync.Mutex
	var group sync.WaitGroup
	before := processorTime()
	b.ResetTimer()
	for caller := range callers {
		group.Go(func() {
			for {
				mutex.Lock()
				i := next
				next++
				mutex.Unlock()
				if i >= b.N {
					return
				}
				start := time.Now()
				if err := call(caller); err != nil {
					mutex.Lock()
					failed++
					mutex.Unlock()
				}
				took[i] = time.Since(start)
			}
		})
	}
	group.Wait()
	b.StopTimer()
	// Processor time is what can be compared on a machine that others use too.
	b.ReportMetric(float64((processorTime()-before).Nanoseconds())/1000/float64(b.N), "cpu-µs/op")
	if failed > 0 {
		b.Fatalf("%d of %d calls failed", failed, b.N)
	}
	slices.Sort(took)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "op/s")
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

func processorTime() time.Duration {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkCustody compares, in one run, the bare module with cached handles and
// the same work through this package, without and with the verification.
func BenchmarkCustody(b *testing.B) {
	bench := initialised(b)
	tok := bench.open()
	ctx := context.Background()
	refs := map[string]WalletRef{
		"token":  wallet(b, tok, "token", nem.SymbolTestnet),
		"sealed": wallet(b, tok, "sealed", nem.NIS1Testnet),
	}
	message := bytes.Repeat([]byte{0x5a}, 200)
	for _, custody := range []string{"token", "sealed"} {
		ref := refs[custody]
		for _, sessions := range []int{1, runtime.NumCPU()} {
			b.Run(fmt.Sprintf("%s/bare/sessions=%d", custody, sessions), func(b *testing.B) {
				spread(b, sessions, bareCall(b, tok, custody, ref, sessions, message))
			})
		}
		for _, callers := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("%s/package/callers=%d", custody, callers), func(b *testing.B) {
				spread(b, callers, func(int) error {
					_, err := tok.signUnverified(ctx, ref, message)
					return err
				})
			})
			b.Run(fmt.Sprintf("%s/package-verified/callers=%d", custody, callers), func(b *testing.B) {
				spread(b, callers, func(int) error {
					_, err := tok.Sign(ctx, ref, message)
					return err
				})
			})
		}
	}
}

// bareCall gives what one goroutine per session would call without this package.
func bareCall(b *testing.B, tok *Token, custody string, ref WalletRef, sessions int, message []byte) func(int) error {
	b.Helper()
	m := tok.realModule()
	genesis, _, _ := tok.Genesis()
	handles := make([]pkcs11.SessionHandle, sessions)
	for i := range handles {
		var err error
		if handles[i], err = m.OpenSession(); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = m.CloseSession(handles[i]) })
	}
	find := func(class uint, id []byte) pkcs11.ObjectHandle {
		found, err := m.Find(handles[0], []*pkcs11.Attribute{attribute(pkcs11.CKA_CLASS, class), attribute(pkcs11.CKA_ID, id)})
		if err != nil || len(found) != 1 {
			b.Fatalf("%d keys, %v", len(found), err)
		}
		return found[0]
	}
	if custody == "token" {
		key := find(pkcs11.CKO_PRIVATE_KEY, walletKeyID(genesis, ref.Network, ref.Name))
		mechanism := []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanismEdDSA, nil)}
		return func(caller int) error {
			if err := m.context.SignInit(handles[caller], mechanism, key); err != nil {
				return err
			}
			_, err := m.context.Sign(handles[caller], message)
			return err
		}
	}
	blob, err := tok.sealedWallet(ref, genesis)
	if err != nil {
		b.Fatal(err)
	}
	key := find(pkcs11.CKO_SECRET_KEY, blob.sealingKey[:])
	return func(caller int) error {
		parameters := pkcs11.NewGCMParams(blob.nonce, blob.additional(), gcmTagSize*8)
		defer parameters.Free()
		if err := m.context.DecryptInit(handles[caller], []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_GCM, parameters)}, key); err != nil {
			return err
		}
		seed, err := m.context.Decrypt(handles[caller], blob.sealed)
		if err != nil {
			return err
		}
		_, err = nem.SignNIS1((*[32]byte)(seed), blob.publicKey, message)
		return err
	}
}

// BenchmarkThousandObjects shows that the rate does not fall with what else the
// token holds: handles are found once.
func BenchmarkThousandObjects(b *testing.B) {
	bench := initialised(b)
	tok := bench.open()
	ctx := context.Background()
	ref := wallet(b, tok, "w", nem.SymbolTestnet)
	message := bytes.Repeat([]byte{0x5a}, 200)
	run := func(b *testing.B) {
		spread(b, 16, func(int) error {
			_, err := tok.signUnverified(ctx, ref, message)
			return err
		})
	}
	b.Run("objects=few", run)
	m := tok.realModule()
	session, err := m.OpenSession()
	if err != nil {
		b.Fatal(err)
	}
	for i := range 1000 {
		if err := m.CreateObject(session, dataTemplate("ballast", fmt.Appendf(nil, "%d", i)), nil); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("objects=1000", run)
}
