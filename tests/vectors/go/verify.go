// Verify reads a log directory (checkpoint, tile/...) with the packages note and tlog of golang.org/x/mod/sumdb, which
// share no code with Lineal, and stops with status 1 at the first thing that does not hold.
//
//	verify DIR VKEY PROOFS [OLDER-CHECKPOINT ...]
//
// It checks the signature and the root of DIR/checkpoint, every tile and every entry below it, an inclusion proof of
// its own making for entries all over the log, a consistency proof from each older checkpoint, and each proof in the
// file PROOFS, one a line, hashes in hex:
//
//	inclusion INDEX SIZE LEAF ROOT [HASH ...]
//	consistency OLD NEW OLD-ROOT NEW-ROOT [HASH ...]
package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const width = 256

type directory string

func (directory) Height() int                         { return 8 }
func (directory) SaveTiles(_ []tlog.Tile, _ [][]byte) {}

func (dir directory) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	contents := make([][]byte, 0, len(tiles))
	for _, tile := range tiles {
		data, err := dir.read(strconv.Itoa(tile.L), tile.N, tile.W)
		if err != nil {
			return nil, err
		}
		if len(data) != tile.W*tlog.HashSize {
			return nil, fmt.Errorf("tile %d of level %d has %d bytes", tile.N, tile.L, len(data))
		}
		contents = append(contents, data)
	}
	return contents, nil
}

// read gives the file of a tile (kind is its level) or entry bundle (kind is "entries").
func (dir directory) read(kind string, index int64, size int) ([]byte, error) {
	path := fmt.Sprintf("%03d", index%1000)
	for rest := index / 1000; rest > 0; rest /= 1000 {
		path = fmt.Sprintf("x%03d/%s", rest%1000, path)
	}
	if size < width {
		path = fmt.Sprintf("%s.p/%d", path, size)
	}
	return os.ReadFile(filepath.Join(string(dir), "tile", kind, path))
}

func (dir directory) entries(index int64, size int) ([][]byte, error) {
	data, err := dir.read("entries", index, size)
	if err != nil {
		return nil, err
	}
	var entries [][]byte
	for len(data) > 0 {
		if len(data) < 2 || len(data) < 2+(int(data[0])<<8|int(data[1])) {
			return nil, fmt.Errorf("bundle %d ends inside an entry", index)
		}
		end := 2 + (int(data[0])<<8 | int(data[1]))
		entries = append(entries, data[2:end])
		data = data[end:]
	}
	if len(entries) != size {
		return nil, fmt.Errorf("bundle %d has %d entries, not %d", index, len(entries), size)
	}
	return entries, nil
}

func openCheckpoint(path string, verifier note.Verifier) (tree tlog.Tree, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return tree, err
	}
	opened, err := note.Open(data, note.VerifierList(verifier))
	if err != nil {
		return tree, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() || lines[3] != "" {
		return tree, fmt.Errorf("%s is not a checkpoint of %s", path, verifier.Name())
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return tree, err
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	return tree, err
}

func checkEntries(dir directory, tree tlog.Tree, reader tlog.HashReader) error {
	for start := int64(0); start < tree.N; start += width {
		size := width
		if tree.N-start < width {
			size = int(tree.N - start)
		}
		entries, err := dir.entries(start/width, size)
		if err != nil {
			return err
		}
		indexes := make([]int64, size)
		for i := range indexes {
			indexes[i] = tlog.StoredHashIndex(0, start+int64(i))
		}
		hashes, err := reader.ReadHashes(indexes) // proven to be in the tree
		if err != nil {
			return err
		}
		for i, entry := range entries {
			if tlog.RecordHash(entry) != hashes[i] {
				return fmt.Errorf("entry %d is not the one in the tree", start+int64(i))
			}
		}
		proof, err := tlog.ProveRecord(tree.N, start, reader)
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, start, hashes[0]); err != nil {
			return err
		}
	}
	return nil
}

func checkOlder(old, tree tlog.Tree, reader tlog.HashReader) error {
	if old.N == 0 { // Go proves nothing about an empty tree
		return nil
	}
	proof, err := tlog.ProveTree(tree.N, old.N, reader)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash)
}

func checkProof(line string) error {
	words := strings.Fields(line)
	if len(words) < 5 {
		return fmt.Errorf("not a proof: %q", line)
	}
	first, err := strconv.ParseInt(words[1], 10, 64)
	if err != nil {
		return err
	}
	size, err := strconv.ParseInt(words[2], 10, 64)
	if err != nil {
		return err
	}
	hashes := make([]tlog.Hash, len(words)-3)
	for i, word := range words[3:] {
		if n, err := hex.Decode(hashes[i][:], []byte(word)); err != nil || n != tlog.HashSize {
			return fmt.Errorf("not a hash: %q", word)
		}
	}
	if words[0] == "inclusion" {
		return tlog.CheckRecord(hashes[2:], size, hashes[1], first, hashes[0])
	}
	return tlog.CheckTree(hashes[2:], size, hashes[1], first, hashes[0])
}

func run(dir directory, vkey, proofs string, older []string) error {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return err
	}
	tree, err := openCheckpoint(filepath.Join(string(dir), "checkpoint"), verifier)
	if err != nil {
		return err
	}
	reader := tlog.TileHashReader(tree, dir)
	if err := checkEntries(dir, tree, reader); err != nil {
		return err
	}
	for _, path := range older {
		old, err := openCheckpoint(path, verifier)
		if err != nil {
			return err
		}
		if err := checkOlder(old, tree, reader); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	file, err := os.Open(proofs)
	if err != nil {
		return err
	}
	defer file.Close()
	count := 0
	lines := bufio.NewScanner(file)
	for ; lines.Scan(); count++ {
		if err := checkProof(lines.Text()); err != nil {
			return fmt.Errorf("%s:%d: %w", proofs, count+1, err)
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	fmt.Printf("%d entries, %d older checkpoints, %d proofs\n", tree.N, len(older), count)
	return nil
}

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "usage: verify DIR VKEY PROOFS [OLDER-CHECKPOINT ...]")
		os.Exit(2)
	}
	if err := run(directory(os.Args[1]), os.Args[2], os.Args[3], os.Args[4:]); err != nil {
		fmt.Fprintln(os.Stderr, "verify:", err)
		os.Exit(1)
	}
}
