/** An etcd client over its JSON gateway, and the locks on it. */
export {}
