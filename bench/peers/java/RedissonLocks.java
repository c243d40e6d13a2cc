import org.redisson.Redisson;
import org.redisson.api.RLock;
import org.redisson.api.RedissonClient;
import org.redisson.config.Config;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/** Redisson's RLock: asked by lines of words, as bench/locks/java-process.ts does. Run as a single source file; argument: the port. */
public class RedissonLocks {
  interface Body { void run() throws Exception; }

  static RedissonClient client;

  static void open(int port) {
    Config config = new Config();
    config.useSingleServer().setAddress("redis://127.0.0.1:" + port);
    client = Redisson.create(config);
  }

  static Body lock(String name) throws Exception {
    RLock lock = client.getLock(name);
    lock.lock(10, TimeUnit.SECONDS);
    return lock::unlock;
  }

  public static void main(String[] args) throws Exception {
    open(Integer.parseInt(args[0]));
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      String[] words = line.split(" ");
      if (words[0].equals("cycles")) System.out.println(cycles(words));
      else if (words[0].equals("contest")) System.out.println(contest(words));
      else System.out.println("1");
    }
    System.exit(0);
  }

  /** cycles name inFlight milliseconds; answers the cycles and how long they took. */
  static String cycles(String[] words) throws Exception {
    double start = now(), until = start + Double.parseDouble(words[3]);
    AtomicLong count = new AtomicLong();
    int inFlight = Integer.parseInt(words[2]);
    CountDownLatch over = new CountDownLatch(inFlight);
    for (int number = 0; number < inFlight; number++) {
      String name = words[1] + "-" + number;
      start(() -> {
        while (now() < until) {
          lock(name).run();
          count.incrementAndGet();
        }
      }, over);
    }
    over.await();
    return count.get() + " " + (now() - start);
  }

  /** contest name waiters first hold start milliseconds turns; answers the end, how many wait and since when, then four numbers for each grant. */
  static String contest(String[] words) throws Exception {
    int waiters = Integer.parseInt(words[2]), first = Integer.parseInt(words[3]);
    long hold = Long.parseLong(words[4]);
    double start = Double.parseDouble(words[5]), until = start + Double.parseDouble(words[6]);
    boolean once = words[7].equals("once");
    ConcurrentLinkedQueue<double[]> grants = new ConcurrentLinkedQueue<>();
    Map<Integer, Double> waiting = new ConcurrentHashMap<>();
    CountDownLatch over = new CountDownLatch(waiters);
    for (int index = 0; index < waiters; index++) {
      int waiter = first + index;
      start(() -> {
        sleep(start - now());
        do {
          double asked = now();
          waiting.put(waiter, asked);
          Body release = lock(words[1]);
          double acquired = now();
          waiting.remove(waiter);
          Thread.sleep(hold);
          grants.add(new double[] { waiter, asked, acquired, now() });
          release.run();
        } while (!once && now() < until);
      }, over);
    }
    over.await((long) (until - now()), TimeUnit.MILLISECONDS);
    StringBuilder answer = new StringBuilder();
    double[] since = waiting.values().stream().mapToDouble(Double::doubleValue).toArray();
    answer.append(now()).append(' ').append(since.length);
    for (double one : since) answer.append(' ').append(one);
    for (double[] grant : grants) for (double one : grant) answer.append(' ').append(one);
    return answer.toString();
  }

  static void start(Body body, CountDownLatch over) {
    Thread thread = new Thread(() -> {
      try {
        body.run();
      } catch (Exception failed) {
        failed.printStackTrace();
      } finally {
        over.countDown();
      }
    });
    thread.setDaemon(true);
    thread.start();
  }

  static void sleep(double ms) throws InterruptedException {
    if (ms > 0) Thread.sleep((long) ms);
  }

  static double now() {
    return System.nanoTime() / 1e6;
  }
}
