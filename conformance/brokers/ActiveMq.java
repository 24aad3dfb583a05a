import java.util.List;

import org.apache.activemq.broker.BrokerPlugin;
import org.apache.activemq.broker.BrokerService;
import org.apache.activemq.security.AuthenticationUser;
import org.apache.activemq.security.SimpleAuthenticationPlugin;

/** An ActiveMQ broker of one connector: its URI and the data directory are the arguments. */
public class ActiveMq {
    public static void main(String[] args) throws Exception {
        BrokerService broker = new BrokerService();
        broker.setBrokerName("mqspec");
        broker.setDataDirectory(args[1]);
        broker.setSchedulerSupport(true);
        broker.setUseJmx(false);
        broker.addConnector(args[0]);
        broker.setPlugins(new BrokerPlugin[] {
            new SimpleAuthenticationPlugin(List.of(new AuthenticationUser("guest", "guest", "users")))
        });
        broker.start();
        broker.waitUntilStopped();
    }
}
