// etcd's own database, as the judge of files that Keyport writes.
//
//	check FILE       everything that bbolt checks
//	dump FILE        every row in hexadecimal: a line for each bucket, and one for each row below it
//	shrink FILE SEED deletes nine of ten keys in random order, some at a time, writes a few again and deletes all the rest;
//	                 checks the file after each transaction
package main

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"strconv"

	bolt "go.etcd.io/bbolt"
)

// One of the keys in a file.
type place struct{ bucket, key string }

func check(db *bolt.DB) error {
	return db.View(func(tx *bolt.Tx) error {
		var found []error
		for err := range tx.Check() {
			found = append(found, err)
		}
		return errors.Join(found...)
	})
}

func dump(db *bolt.DB) error {
	out := bufio.NewWriter(os.Stdout)
	err := db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, bucket *bolt.Bucket) error {
			fmt.Fprintf(out, "%s\n", name)
			return bucket.ForEach(func(key, value []byte) error {
				_, err := fmt.Fprintf(out, " %x %x\n", key, value)
				return err
			})
		})
	})
	return errors.Join(err, out.Flush())
}

func places(db *bolt.DB) (found []place, err error) {
	err = db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, bucket *bolt.Bucket) error {
			return bucket.ForEach(func(key, _ []byte) error {
				found = append(found, place{string(name), string(key)})
				return nil
			})
		})
	})
	return found, err
}

// Does something with each of these keys, in as many transactions as there are, and checks after each.
func each(db *bolt.DB, places []place, transactions int, do func(*bolt.Bucket, []byte) error) error {
	for number := range transactions {
		part := places[len(places)*number/transactions : len(places)*(number+1)/transactions]
		err := db.Update(func(tx *bolt.Tx) error {
			for _, place := range part {
				if err := do(tx.Bucket([]byte(place.bucket)), []byte(place.key)); err != nil {
					return err
				}
			}
			return nil
		})
		if err := errors.Join(err, check(db)); err != nil {
			return fmt.Errorf("transaction %d: %w", number, err)
		}
	}
	return nil
}

func shrink(db *bolt.DB, seed int64) error {
	all, err := places(db)
	if err != nil {
		return err
	}
	rand.New(rand.NewSource(seed)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	most := len(all) * 9 / 10
	remove := func(bucket *bolt.Bucket, key []byte) error { return bucket.Delete(key) }
	put := func(bucket *bolt.Bucket, key []byte) error { return bucket.Put(key, []byte("again")) }
	return errors.Join(
		each(db, all[:most], 6, remove),
		each(db, all[:most/4], 2, put),
		each(db, all[most:], 1, remove),
		each(db, all[:most/4], 1, remove),
	)
}

func run(arguments []string) error {
	if len(arguments) < 2 {
		return errors.New("usage: bbolt check|dump|shrink FILE [SEED]")
	}
	command, path := arguments[0], arguments[1]
	// As etcd opens it on Linux.
	options := &bolt.Options{NoFreelistSync: true, FreelistType: bolt.FreelistMapType, NoSync: true, ReadOnly: command != "shrink"}
	db, err := bolt.Open(path, 0o600, options)
	if err != nil {
		return err
	}
	defer db.Close()
	switch command {
	case "check":
		return check(db)
	case "dump":
		return dump(db)
	case "shrink":
		if len(arguments) < 3 {
			return errors.New("shrink needs a seed")
		}
		seed, err := strconv.ParseInt(arguments[2], 10, 64)
		if err != nil {
			return err
		}
		return shrink(db, seed)
	}
	return fmt.Errorf("unknown command %q", command)
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
