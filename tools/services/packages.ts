/** The Debian packages that the suites need, and the file by which each is known to be there. */
export interface ServicePackage {
  readonly name: string
  readonly provides: string
  /** Written before the first install, so that the package starts or creates nothing of its own. */
  readonly settings?: ServiceSettings
}

export interface ServiceSettings {
  readonly file: string
  readonly line: string
}

export const servicePackages: readonly ServicePackage[] = [
  {
    name: 'postgresql-15',
    provides: '/usr/lib/postgresql/15/bin/postgres',
    settings: { file: '/etc/postgresql-common/createcluster.conf', line: 'create_main_cluster = false' },
  },
  { name: 'default-jre-headless', provides: '/usr/bin/java' },
  { name: 'libzookeeper-java', provides: '/usr/share/java/zookeeper.jar' },
  { name: 'redis-server', provides: '/usr/bin/redis-server' },
  { name: 'etcd-server', provides: '/usr/bin/etcd' },
]
