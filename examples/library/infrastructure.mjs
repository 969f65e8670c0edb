/**
 * Services watched and servers chosen in one program, by the library's infrastructure faces. Nothing is started: it prints what it finds and ends.
 *
 *   node examples/library/infrastructure.mjs
 */
import { InfrastructureService, LoadBalancerService, CacheService } from 'holdfast'

/** @type {import('holdfast').InfrastructureConfig} */
const config = {
  cluster: {
    enabled: true,
    workerCount: 4,
    maxRestarts: 3,
    restartDelay: 1000,
    gracefulShutdownTimeout: 30000,
    healthCheckInterval: 30000,
    autoRestart: true,
  },
  loadBalancer: {
    algorithm: 'round-robin',
    healthCheck: {
      enabled: true,
      interval: 10000,
      timeout: 5000,
      path: '/health',
      unhealthyThreshold: 3,
      healthyThreshold: 2,
    },
    ssl: {
      enabled: true,
      protocols: ['TLSv1.2', 'TLSv1.3'],
    },
  },
  cache: {
    redis: { enabled: true, host: 'localhost', port: 6379, ttl: 3600 },
    memory: { enabled: true, maxSize: 10000, ttl: 3600 },
  },
  scaling: {
    autoScaling: {
      enabled: true,
      minInstances: 2,
      maxInstances: 10,
      targetCpuPercent: 70,
      targetMemoryPercent: 80,
    },
  },
}

// Initialize services
const infrastructure = new InfrastructureService(config)
const loadBalancer = new LoadBalancerService(config.loadBalancer)
const cache = new CacheService(config.cache)

// Listen for health changes
infrastructure.on('healthChange', ({ serviceName, from, to }) => {
  console.log(`${serviceName} changed from ${from} to ${to}`)
})

// Listen for alerts
infrastructure.on('alert', (alert) => {
  console.log(`Alert: ${alert.title} - ${alert.message}`)
})

// Scaling events
infrastructure.on('scaling', (event) => {
  console.log(`Scaling ${event.type}: ${event.from} -> ${event.to} instances`)
  console.log(`Reason: ${event.reason}`)
})

// Register services
const auth = {
  service: 'auth',
  status: 'healthy',
  timestamp: new Date(),
  responseTime: 50,
  details: {
    uptime: 3600,
    cpuUsage: 45,
    memoryUsage: 60,
    diskUsage: 30,
    connections: 100,
    errors: 0,
  },
  dependencies: [],
}
infrastructure.registerService('auth', auth)

// Add servers to load balancer
const authServer = loadBalancer.addServer('localhost', 3001, 1)
const coreServer = loadBalancer.addServer('localhost', 3000, 2)
console.log(`Servers: ${authServer.id} ${coreServer.id}`)

// Get health status
const health = await infrastructure.getHealthStatus()
console.log(`Overall status: ${health.status}`)
console.log(`Services monitored: ${health.services.length}`)

// It becomes worse
infrastructure.registerService('auth', { ...auth, status: 'degraded' })

// Get next server for request
const server = loadBalancer.getNextServer()
if (server) {
  console.log(`Route to: ${server.host}:${server.port}`)
}

// Update server metrics
loadBalancer.updateServerConnections(server.id, 1) // Increment
loadBalancer.updateServerResponseTime(server.id, 250) // 250ms

// Set maintenance mode
loadBalancer.setServerMaintenance(server.id, true)
console.log(`Then to: ${loadBalancer.getNextServer()?.id}`)

// Get scaling history
const events = infrastructure.getScalingEvents(50)
events.forEach((event) => {
  console.log(`${event.timestamp}: ${event.type} (${event.trigger})`)
})

// Cache operations: by memory alone while no Redis answers
await cache.set('user:123', { id: 123, name: 'John' }, 3600)
const user = await cache.get('user:123')
console.log(`Cached: ${user.name}, hit rate ${cache.getStats().hitRate}%`)
await cache.close()
