package token

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pinDigits is the length of a PIN that Kura makes: 128 random bits in hex.
const pinDigits = 32

// maxPIN is the longest PIN taken from outside; PKCS#11 tokens state less.
const maxPIN = 255

// PIN opens a token. It lives in locked memory from the first byte read to Wipe
// and is never a Go string; it cannot be printed. There is deliberately no way
// to make one from an argument or an environment variable.
type PIN struct {
	secret *Secret
	length int
}

// NewPIN makes a PIN of 128 bits from random (crypto/rand.Reader), written as 32
// lower-case hex digits: SoftHSM stretches a PIN hardly at all, so the PIN itself
// has to be what a thief of the token's files cannot guess.
func NewPIN(random io.Reader) (*PIN, error) {
	raw, err := NewSecret(pinDigits / 2)
	if err != nil {
		return nil, fmt.Errorf("make a PIN: %w", err)
	}
	defer raw.Wipe()
	if _, err := io.ReadFull(random, raw.Bytes()); err != nil {
		return nil, fmt.Errorf("make a PIN: read random numbers: %w", err)
	}
	pin, err := emptyPIN()
	if err != nil {
		return nil, err
	}
	pin.length = hex.Encode(pin.secret.Bytes(), raw.Bytes())
	return pin, nil
}

func emptyPIN() (*PIN, error) {
	secret, err := NewSecret(maxPIN + 2)
	if err != nil {
		return nil, fmt.Errorf("keep a PIN: %w", err)
	}
	return &PIN{secret: secret}, nil
}

// ReadPINFile reads a PIN from a file that only its owner can open: a regular
// file (not a link) of root or of this process's user, without any permission for
// group or others. One trailing newline is left out.
func ReadPINFile(path string) (*PIN, error) {
	return readPINFile(path, 0o077)
}

// ReadPINCredential reads the systemd credential called name from
// $CREDENTIALS_DIRECTORY (LoadCredential= or LoadCredentialEncrypted=).
func ReadPINCredential(name string) (*PIN, error) {
	directory := os.Getenv("CREDENTIALS_DIRECTORY")
	if directory == "" {
		return nil, errors.New("read PIN: CREDENTIALS_DIRECTORY is not set: the unit has no LoadCredential= line")
	}
	if name == "" || filepath.Base(name) != name {
		return nil, fmt.Errorf("read PIN: credential name %q is not a plain name", name)
	}
	// systemd grants the service's user by an access list, whose mask stands
	// where the group's bits are; the directory itself is closed to others.
	return readPINFile(filepath.Join(directory, name), 0o037)
}

func readPINFile(path string, forbidden uint32) (*PIN, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err == unix.ELOOP {
		return nil, fmt.Errorf("read PIN file %s: it is a symbolic link; name the file itself", path)
	}
	if err != nil {
		return nil, fmt.Errorf("read PIN file %s: %w", path, err)
	}
	defer func() { _ = unix.Close(fd) }() // it was only read
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return nil, fmt.Errorf("read PIN file %s: %w", path, err)
	}
	switch {
	case stat.Mode&unix.S_IFMT != unix.S_IFREG:
		return nil, fmt.Errorf("read PIN file %s: it is not a regular file", path)
	case stat.Mode&forbidden != 0:
		return nil, fmt.Errorf("read PIN file %s: mode %04o lets others at it; it has to be 0600 or 0400", path, stat.Mode&0o7777)
	case stat.Uid != 0 && int(stat.Uid) != os.Geteuid():
		return nil, fmt.Errorf("read PIN file %s: it belongs to uid %d; it has to belong to root or to uid %d", path, stat.Uid, os.Geteuid())
	}
	return readPIN(fd, path)
}

// ReadPINFD reads a PIN from an open descriptor up to a newline or the end, and
// closes the descriptor: a PIN is read once.
func ReadPINFD(fd int) (*PIN, error) {
	if fd < 0 {
		return nil, fmt.Errorf("read PIN: descriptor %d is negative", fd)
	}
	defer func() { _ = unix.Close(fd) }() // it was only read
	return readPIN(fd, fmt.Sprintf("descriptor %d", fd))
}

// PromptPIN asks on a terminal with the echo off. The terminal's settings are
// put back whatever happens.
func PromptPIN(terminal *os.File, prompt string) (*PIN, error) {
	fd := int(terminal.Fd())
	settings, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("read PIN: %s is not a terminal: %w", terminal.Name(), err)
	}
	silent := *settings
	silent.Lflag = silent.Lflag&^unix.ECHO | unix.ICANON | unix.ISIG
	silent.Iflag |= unix.ICRNL
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &silent); err != nil {
		return nil, fmt.Errorf("read PIN: turn the terminal's echo off: %w", err)
	}
	defer func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, settings) }() // where it fails the terminal has gone
	if _, err := io.WriteString(terminal, prompt); err != nil {
		return nil, fmt.Errorf("read PIN: write the prompt: %w", err)
	}
	pin, err := readPIN(fd, "terminal")
	_, _ = io.WriteString(terminal, "\n") // for the eye alone
	return pin, err
}

// readPIN reads straight into locked memory; no Go buffer sees the PIN.
func readPIN(fd int, source string) (*PIN, error) {
	pin, err := emptyPIN()
	if err != nil {
		return nil, err
	}
	length, err := readLine(fd, pin.secret.Bytes())
	if err == nil && (length == 0 || length > maxPIN) {
		err = fmt.Errorf("a PIN has 1 to %d bytes on one line", maxPIN)
	}
	if err != nil {
		pin.Wipe()
		return nil, fmt.Errorf("read PIN from %s: %w", source, err)
	}
	pin.length = length
	return pin, nil
}

// readLine fills buffer from a descriptor up to the end, or up to a newline,
// which must be the last byte read, and returns the length without it.
func readLine(fd int, buffer []byte) (int, error) {
	filled := 0
	for filled < len(buffer) {
		n, err := unix.Read(fd, buffer[filled:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return 0, err
		}
		if n == 0 {
			return filled, nil
		}
		for i := filled; i < filled+n; i++ {
			if buffer[i] != '\n' {
				continue
			}
			if i != filled+n-1 {
				return 0, errors.New("there is more than one line")
			}
			return i, nil
		}
		filled += n
	}
	return 0, fmt.Errorf("longer than %d bytes", len(buffer)-1)
}

// WriteFile keeps the PIN in a new file that only its owner can read. An existing
// file is never replaced. The file has its name only when it is whole: a process
// that is killed meanwhile leaves at most a PIN under another name that no token
// has, which the next call removes.
func (p *PIN) WriteFile(path string) error {
	next := path + ".new"
	if err := p.writeNew(next); err != nil {
		return fmt.Errorf("write PIN file: %w", err)
	}
	if err := unix.Renameat2(unix.AT_FDCWD, next, unix.AT_FDCWD, path, unix.RENAME_NOREPLACE); err != nil {
		_ = os.Remove(next) // what failed before is what is said
		return fmt.Errorf("write PIN file: %w", &os.PathError{Op: "rename", Path: path, Err: err})
	}
	return nil
}

func (p *PIN) writeNew(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(p.bytes())
	if err == nil {
		_, err = file.Write([]byte{'\n'})
	}
	if err == nil {
		err = file.Sync()
	}
	if err := errors.Join(err, file.Close()); err != nil {
		_ = os.Remove(path) // what failed before is what is said
		return err
	}
	return nil
}

// Strong tells whether the PIN has the shape of 128 random bits: 32 lower-case
// hex digits, with at least 8 different ones (a random PIN has fewer once in
// twenty-eight million).
func (p *PIN) Strong() bool {
	digits := p.bytes()
	if len(digits) != pinDigits {
		return false
	}
	var seen [16]bool
	different := 0
	for _, digit := range digits {
		var value byte
		switch {
		case '0' <= digit && digit <= '9':
			value = digit - '0'
		case 'a' <= digit && digit <= 'f':
			value = digit - 'a' + 10
		default:
			return false
		}
		if !seen[value] {
			seen[value] = true
			different++
		}
	}
	return different >= 8
}

// Wipe overwrites the PIN. The PIN is unusable afterwards.
func (p *PIN) Wipe() {
	if p == nil {
		return
	}
	p.secret.Wipe()
	p.length = 0
}

func (p *PIN) bytes() []byte {
	if p == nil {
		return nil
	}
	held := p.secret.Bytes()
	return held[:min(p.length, len(held))]
}

// String keeps a PIN out of anything that formats it.
func (p *PIN) String() string { return "[PIN]" }

// GoString keeps a PIN out of %#v.
func (p *PIN) GoString() string { return "[PIN]" }

// lockedString looks at locked memory as a string without copying it. It must
// not outlive the memory.
func lockedString(locked []byte) string {
	return unsafe.String(unsafe.SliceData(locked), len(locked)) //nolint:gosec // a view instead of a copy that nobody wipes
}
