// The ends of sttp/cppapi for the conformance suite:
//
//     endpoint publisher listen|dial HOST PORT METADATA
//     endpoint subscriber listen|dial HOST PORT
//
// A skeleton: written against the published headers, not compiled or run where it was written. See CMakeLists.txt.
#include <cmath>
#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <mutex>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <boost/property_tree/json_parser.hpp>
#include <boost/property_tree/ptree.hpp>
#include <boost/uuid/uuid_io.hpp>

#include "Convert.h"
#include "data/DataSet.h"
#include "transport/PublisherInstance.h"
#include "transport/SubscriberInstance.h"

using boost::property_tree::ptree;
using sttp::data::DataSet;
using namespace sttp::transport;

namespace {

const char* const Everything = "FILTER ActiveMeasurements WHERE True";

std::string setting(const char* name) {
    const char* found = std::getenv(name);
    return found == nullptr ? "" : found;
}

int32_t milliseconds(const char* name, int32_t otherwise) {
    const std::string seconds = setting(name);
    return seconds.empty() ? otherwise : static_cast<int32_t>(std::stod(seconds) * 1000);
}

// A text within the quotes of JSON.
std::string quoted(const std::string& text) {
    std::ostringstream out;
    out << '"';
    for (const unsigned char each : text) {
        if (each == '"' || each == '\\')
            out << '\\' << each;
        else if (each < 0x20)
            out << "\\u" << std::hex << std::setw(4) << std::setfill('0') << static_cast<int>(each) << std::dec;
        else
            out << each;
    }
    out << '"';
    return out.str();
}

// In reports the words NaN, Infinity and -Infinity stand for what is no number in JSON.
std::string number(double value) {
    if (std::isnan(value))
        return "\"NaN\"";
    if (std::isinf(value))
        return value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
    std::ostringstream out;
    out << std::setprecision(17) << value;
    return out.str();
}

// Lines that are collected until they are asked for.
class Collected {
public:
    void add(std::string text) {
        const std::lock_guard<std::mutex> guard(m_lock);
        m_texts.push_back(std::move(text));
    }

    std::string take() {
        const std::lock_guard<std::mutex> guard(m_lock);
        std::string all;
        for (const auto& each : m_texts)
            all += (all.empty() ? "" : ",") + each;
        m_texts.clear();
        return "[" + all + "]";
    }

private:
    std::mutex m_lock;
    std::vector<std::string> m_texts;
};

class Subscriber : public SubscriberInstance {
public:
    Subscriber() {
        SetFilterExpression(Everything);
        SetRetryInterval(milliseconds("STTP_REDIAL_BASE", GetRetryInterval()));
        SetMaxRetryInterval(milliseconds("STTP_REDIAL_CAP", GetMaxRetryInterval()));
        SetMaxRetries(-1);
        if (const std::string version = setting("STTP_VERSION"); !version.empty())
            SetVersion(static_cast<uint8_t>(std::stoi(version)));
        if (const std::string data = setting("STTP_DATA"); !data.empty())
            SetPayloadDataCompressed(data == "tssc");
    }

    // What to answer; empty for a request that is not known.
    std::string answer(const ptree& request) {
        const std::string name = request.get<std::string>("do");
        if (name == "report")
            return "\"ok\":true,\"measurements\":" + m_measurements.take();
        if (name == "events")
            return "\"ok\":true,\"events\":" + m_events.take();
        return "";
    }

protected:
    void StatusMessage(const std::string& message) override { std::cerr << message << std::endl; }
    void ErrorMessage(const std::string& message) override { std::cerr << message << std::endl; }
    void ConnectionEstablished() override { m_events.add(R"({"event":"connected"})"); }
    void ConnectionTerminated() override { m_events.add(R"({"event":"disconnected","reason":""})"); }
    void ConfigurationChanged() override { m_events.add(R"({"event":"configuration-changed"})"); }
    void HistoricalReadComplete() override { m_events.add(R"({"event":"processing-complete","text":""})"); }

    void ReceivedNewMeasurements(const std::vector<MeasurementPtr>& measurements) override {
        for (const auto& each : measurements) {
            std::ostringstream row;
            row << "[\"" << each->SignalID << "\"," << each->Timestamp << ',' << number(each->Value) << ','
                << static_cast<uint32_t>(each->Flags) << ']';
            m_measurements.add(row.str());
        }
    }

private:
    Collected m_measurements, m_events;
};

class Publisher : public PublisherInstance {
public:
    explicit Publisher(const std::string& metadata) { DefineMetadata(DataSet::FromXml(metadata)); }

    std::string answer(const ptree& request) {
        const std::string name = request.get<std::string>("do");
        if (name == "publish") {
            publish(request.get_child("measurements"));
            return "\"ok\":true";
        }
        if (name == "redefine-metadata") {
            const std::string document = request.get<std::string>("document");
            DefineMetadata(DataSet::FromXml(std::vector<uint8_t>(document.begin(), document.end())));
            return "\"ok\":true";
        }
        return "";
    }

protected:
    void StatusMessage(const std::string& message) override { std::cerr << message << std::endl; }
    void ErrorMessage(const std::string& message) override { std::cerr << message << std::endl; }

private:
    void publish(const ptree& rows) {
        std::vector<MeasurementPtr> measurements;
        for (const auto& row : rows) {
            std::vector<std::string> cells; // signal ID, ticks, value, flags
            for (const auto& cell : row.second)
                cells.push_back(cell.second.data());
            auto measurement = sttp::NewSharedPtr<Measurement>();
            measurement->SignalID = sttp::ParseGuid(cells.at(0).c_str());
            measurement->Timestamp = std::stoll(cells.at(1));
            measurement->Value = std::strtod(cells.at(2).c_str(), nullptr); // it reads NaN and Infinity too
            measurement->Flags = static_cast<MeasurementStateFlags>(std::stoul(cells.at(3)));
            measurements.push_back(measurement);
        }
        PublishMeasurements(measurements);
    }
};

// Answer requests until there are no more.
template <class End>
void obey(End& end) {
    for (std::string line; std::getline(std::cin, line);) {
        ptree request;
        std::istringstream stream(line);
        boost::property_tree::read_json(stream, request);
        std::string answer;
        try {
            answer = end.answer(request);
        } catch (const std::exception& error) {
            answer = "\"error\":" + quoted(error.what());
        }
        const std::string id = request.get<std::string>("id");
        std::cout << "{\"id\":" << id << ',' << (answer.empty() ? "\"unsupported\":true" : answer) << '}' << std::endl;
    }
}

} // namespace

int main(int count, char* arguments[]) {
    if (count < 5) {
        std::cerr << "endpoint publisher|subscriber listen|dial HOST PORT [METADATA]" << std::endl;
        return 2;
    }
    const std::string role = arguments[1], verb = arguments[2], host = arguments[3];
    const auto port = static_cast<uint16_t>(std::stoi(arguments[4]));

    if (role == "publisher") {
        Publisher publisher(arguments[5]);
        if (verb == "dial") {
            publisher.Initialize(host, port);
            publisher.SetAutoReconnect(true);
            publisher.SetMaxRetries(-1);
            publisher.SetRetryInterval(milliseconds("STTP_REDIAL_BASE", 1000));
            publisher.SetMaxRetryInterval(milliseconds("STTP_REDIAL_CAP", 30000));
            publisher.ConnectAsync();
        } else if (!publisher.Start(host, port)) {
            return 1;
        }
        obey(publisher);
    } else {
        Subscriber subscriber;
        if (verb == "dial") {
            subscriber.Initialize(host, port);
            subscriber.ConnectAsync();
        } else if (!subscriber.Listen(host, port)) {
            return 1;
        }
        obey(subscriber);
    }
    std::_Exit(0); // threads that dial for ever are not waited for
}
