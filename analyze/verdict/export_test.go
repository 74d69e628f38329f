package verdict

// TopicOf is the topic that explains a connection's ending.
var TopicOf = topic
